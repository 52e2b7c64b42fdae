/** The first release line whose HTTP/2 cannot be crashed from outside (CVE-2026-27135), and which frees every socket. */
const FIRST_SAFE = { major: 22, minor: 23 };

/** Why the gRPC door must not open on this runtime; undefined where it may. */
export function runtimeProblem(version: string = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isSafe = major > FIRST_SAFE.major || (major === FIRST_SAFE.major && minor >= FIRST_SAFE.minor);
  if (isSafe) return undefined;
  return (
    `the gRPC door needs Node.js ${FIRST_SAFE.major}.${FIRST_SAFE.minor} or newer, and this is ${version}: ` +
    'its HTTP/2 can be crashed from outside (CVE-2026-27135)'
  );
}
