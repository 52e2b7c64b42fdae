import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The file that a thread runs: beside the one that starts it among the sources; built, that one is in `dist` or a folder of
 * it. Undefined where this copy of tinymq lacks it.
 *
 * @param name without what stands behind the dot.
 * @param beside the URL of the file that starts it.
 */
export function threadFile(name: string, beside: string): URL | undefined {
  return [`./${name}.ts`, `./${name}.js`, `../${name}.js`]
    .map((path) => new URL(path, beside))
    .find((url) => existsSync(fileURLToPath(url)));
}
