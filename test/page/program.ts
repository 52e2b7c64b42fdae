import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program of the PATH lies. */
export function pathOfProgram(name: string): string {
  const folders = process.env.PATH?.split(delimiter) ?? [];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? name;
}
