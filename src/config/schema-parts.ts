/** Texts that many settings are made of, as JSON Schema. `description` is the end of the sentence "must be …". */

/** Names of agents and connections: they become parts of paths, cgroups and log lines. */
export const name = {
  type: "string",
  pattern: "^[a-z0-9][a-z0-9-]{0,62}$",
  description: "1 to 63 of a-z, 0-9 and -, not beginning with -",
} as const;

export const label = {
  type: "string",
  pattern: "^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$",
  description: "1 to 63 letters, digits, _ . / or -, beginning with a letter or digit",
} as const;

export const path = {
  type: "string",
  minLength: 1,
  maxLength: 4096,
  pattern: "^[^\\u0000]*$",
  description: "a path",
} as const;

export const text = {
  type: "string",
  minLength: 1,
  maxLength: 255,
  pattern: "^[^\\u0000-\\u001f\\u007f]*$",
  description: "1 to 255 characters without control characters",
} as const;

export const duration = {
  type: "string",
  pattern: "^([0-9]{1,6}[smhd])+$",
  description: 'a time, e.g. "60s" or "1h30m"',
} as const;

/** Exactly one place to read a secret from. A secret itself has no place in the settings. */
export const reference = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  description: "a reference to the secret: {file: PATH}, {env: NAME} or {systemd: NAME}; not the secret itself",
  properties: {
    file: path,
    env: { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$", description: "the name of a variable" },
    systemd: {
      type: "string",
      pattern: "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$",
      description: "the name of a systemd credential",
    },
  },
} as const;

/** Groups and users as useradd(8) takes them. */
export const unixName = {
  type: "string",
  pattern: "^[a-z_][a-z0-9_.-]{0,62}[$]?$",
  description: "the name of a user or group of this host",
} as const;
