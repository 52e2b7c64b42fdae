/**
 * The oldest Node.js that everything here works on. It has SQLite and zstd, and its HTTP/2 can no longer be crashed from
 * outside. package.json says the same to npm.
 */
export const NEEDED_NODE = '22.23';

/** Why a Node.js of this version is not enough, in one line; undefined where it is. */
export function runtimeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NEEDED_NODE.split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `needs Node.js ${NEEDED_NODE} or newer, and this is ${version}: https://nodejs.org`;
}
