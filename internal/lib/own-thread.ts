import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { builtIn } from './built-in.ts';

/**
 * Starts a thread that runs a file of this package. Undefined where this copy of tinymq lacks the file.
 *
 * @param name without what stands behind the dot.
 * @param beside the URL of the file that starts it.
 */
export function startOwnThread(name: string, beside: string, options: WorkerOptions): Worker | undefined {
  const code = builtIn(`${name}.cjs`);
  if (code !== undefined) return new Worker(code.toString(), { ...options, eval: true });
  const file = threadFile(name, beside);
  return file === undefined ? undefined : new Worker(file, options);
}

/** Beside the one that starts it among the sources; built, that one is in `dist` or a folder of it. */
function threadFile(name: string, beside: string): URL | undefined {
  return [`./${name}.ts`, `./${name}.js`, `../${name}.js`]
    .map((path) => new URL(path, beside))
    .find((url) => existsSync(fileURLToPath(url)));
}
