import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the metadata of esbuild has that is needed here. */
export interface Metafile {
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** The folders of the packages that a bundle has something of, as in `node_modules/a/node_modules/b`. */
export function bundledPackages({ inputs }: Metafile): string[] {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(folders)].sort();
}

/**
 * The notice that goes with what is bundled: each package with the text of its licence.
 *
 * @throws Error for one that names no licence: whoever adds it has to look.
 */
export function notice(folders: readonly string[]): string {
  return folders.map(noticeOf).join(`\n${'-'.repeat(80)}\n\n`);
}

function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string') throw new Error(`${folder} does not say under which licence it is`);
  const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
  const text =
    file !== undefined && existsSync(join(folder, file))
      ? `\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
      : '';
  return `${name} ${version} (${license})\n${text}`;
}
