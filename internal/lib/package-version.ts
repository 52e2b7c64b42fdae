import { readFileSync } from 'node:fs';
import { builtIn } from './built-in.ts';

/** The version of this package; `unknown` where an app was bundled with it and has left its description behind. */
export const packageVersion = readVersion();

/** The package's own description is the nearest one above this file, which lies deeper as a source than as built. */
function readVersion(): string {
  const own = builtIn('package.json');
  if (own !== undefined) return JSON.parse(own.toString()).version;
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (found.name === 'tinymq') return found.version;
    } catch {
      // Not there.
    }
  }
  return 'unknown';
}
