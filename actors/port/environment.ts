/**
 * The environment that a port gets: a short list, never all of ours. What we were started with may
 * hold secrets (passwords of Kafka, tokens), and a process's environment can be read by whoever
 * may look at the process; secrets reach a port through its stdin.
 *
 * @module
 */

const inherited_names = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME"] as const;

/**
 * The variables that a port inherits, and those that it is given besides.
 *
 * @param ours The environment of this process.
 * @param further What this port needs besides; wins over what is inherited.
 */
export function portEnvironment(
  ours: Readonly<Record<string, string | undefined>>,
  further: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of inherited_names) {
    const value = ours[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...further };
}
