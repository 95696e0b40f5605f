/** Errors of the API: a status, a stable code, a sentence and a remedy. Never holds a request's data. */
import { UserError } from "../../base/errors.ts";

/** An error that is answered as it is. */
export class ApiFault extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string;

  constructor(status: number, code: string, message: string, remedy: string) {
    super(message);
    this.name = "ApiFault";
    this.status = status;
    this.code = code;
    this.remedy = remedy;
  }
}

/** What is thrown on the way of a request, as what is answered. Undefined: our own fault, not to be shown. */
export function faultOf(error: unknown): ApiFault | undefined {
  if (error instanceof ApiFault) return error;
  if (error instanceof UserError) return new ApiFault(STATUS[error.exitCode], error.code, error.message, error.remedy);
  // The addon's errors carry a code and a remedy for a person too; they come without a class of ours.
  if (error instanceof Error && "code" in error && "remedy" in error) {
    return new ApiFault(422, String(error.code), error.message, String(error.remedy));
  }
  return undefined;
}

export function unknownThing(code: string, message: string, remedy: string): ApiFault {
  return new ApiFault(404, code, message, remedy);
}

const STATUS = { 1: 422, 2: 400, 3: 503, 4: 403 } as const;
