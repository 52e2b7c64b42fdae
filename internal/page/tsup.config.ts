import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineConfig } from 'tsup';

const SOURCE = 'internal/page';
const TARGET = 'dist/page';

/** What is in the bundle and has a licence that goes with it. */
const BUNDLED = ['preact', 'uplot'];

/**
 * Builds the page into `dist/page`: `index.html`, and beside it what it loads, with a hash in each name so that browsers
 * may keep it for ever. Every file is there three times: as it is, and compressed for whoever takes that.
 */
export default defineConfig({
  entry: { page: `${SOURCE}/main.tsx` },
  outDir: TARGET,
  clean: true,
  format: 'esm',
  outExtension: () => ({ js: '.js' }),
  target: 'es2022',
  platform: 'browser',
  tsconfig: `${SOURCE}/tsconfig.json`,
  minify: true,
  splitting: true,
  noExternal: [/./],
  esbuildOptions(options) {
    options.entryNames = '[name]-[hash]';
    options.chunkNames = '[name]-[hash]';
    options.jsx = 'automatic';
    options.jsxImportSource = 'preact';
    options.legalComments = 'none';
  },
  async onSuccess() {
    addIcon();
    writeFileSync(join(TARGET, 'licenses.txt'), BUNDLED.map(licenseOf).join('\n'));
    writeFileSync(join(TARGET, 'index.html'), indexPage(readdirSync(TARGET)));
    for (const name of readdirSync(TARGET)) compress(join(TARGET, name));
  },
});

function licenseOf(name: string): string {
  return `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8')}`;
}

/** Browsers ask for it beside the page; no module imports it. */
function addIcon(): void {
  const icon = readFileSync(join(SOURCE, 'style/icon.svg'));
  const hash = createHash('sha256').update(icon).digest('hex').slice(0, 8).toUpperCase();
  writeFileSync(join(TARGET, `icon-${hash}.svg`), icon);
}

/** The page itself: its template, with the names that the build gave to the files. */
function indexPage(names: readonly string[]): string {
  const template = readFileSync(join(SOURCE, 'index.html'), 'utf8');
  return template.replace(/\{\{(\w+)\.(\w+)\}\}/g, (_, name: string, extension: string) => {
    const built = names.find((each) => each.startsWith(`${name}-`) && each.endsWith(`.${extension}`));
    if (built === undefined) throw new Error(`the build made no ${name}.${extension}`);
    return built;
  });
}

function compress(path: string): void {
  const bytes = readFileSync(path);
  writeFileSync(`${path}.br`, brotliCompressSync(bytes));
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
}
