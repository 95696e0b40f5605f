/** What is said of tokens that are not taken, whatever their kind: by name and never by value. */
import { UserError } from "../base/errors.ts";

export function issuerRefused(): UserError {
  const remedy = "Add its issuer to identity in the settings, spelled as in the token (iss; Issuer of a SAML response)";
  return new UserError("TOKEN_ISSUER", "Cannot use the token: the settings do not name its issuer", remedy);
}

export function agentRefused(agent: string): UserError {
  const message = `Cannot use the token for agent ${agent}: its issuer may not make that agent`;
  const remedy = "Name another agent with --as, or add it to agents of the issuer in the settings";
  return new UserError("TOKEN_AGENT", message, remedy);
}

export function signatureRefused(why = "its signature is not its issuer's"): UserError {
  const remedy = "Give the token as its issuer signed it, unchanged";
  return new UserError("TOKEN_SIGNATURE", `Cannot use the token: ${why}`, remedy);
}

export function audienceRefused(): UserError {
  const remedy = "Ask the issuer for a token with the audience that the settings name";
  return new UserError("TOKEN_AUDIENCE", "Cannot use the token: it is meant for somebody else", remedy);
}

export function expired(): UserError {
  return new UserError("TOKEN_EXPIRED", "Cannot use the token: it has expired", "Get a new one, and show it at once");
}

export function notYet(): UserError {
  const remedy = "Compare this host's clock with the issuer's, or allow more clockSkew (up to 5m)";
  return new UserError("TOKEN_NOT_YET", "Cannot use the token: its time has not come", remedy);
}

export function claimsRefused(why: string): UserError {
  const remedy = "Ask the issuer for a token as docs/identity.md describes";
  return new UserError("TOKEN_CLAIMS", `Cannot use the token: ${why}`, remedy);
}
