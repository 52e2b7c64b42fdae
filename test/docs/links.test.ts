import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = [
  ...globSync('*.md', { cwd: ROOT }),
  ...globSync('{docs,internal,bench,test}/**/*.md', { cwd: ROOT }),
  ...globSync('pkg/*/README.md', { cwd: ROOT }),
];
const FENCE = /^ {0,3}```.*?^ {0,3}```/gms;
const LINK = /\]\(([^()\s]+)\)/g;
const HEADING = /^#{1,6} (.*)$/gm;

it('docs/faq.md names codes that docs/errors.md has', () => {
  const known = new Set([...textOf('docs/errors.md').matchAll(/^\| `([a-z-]+)`/gm)].map(([, code]) => code));
  const rows = [...textOf('docs/faq.md').matchAll(/^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|/gm)];
  const named = rows.flatMap(([, cell]) => cell!.split(', ').map((code) => code.slice(1, -1)));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((code) => !known.has(code))).toEqual([]);
});

describe('links between pages', () => {
  it.each(PAGES)('of %s lead to a file and to a heading that are there', (page) => {
    const broken = linksOf(page).filter((link) => !leadsSomewhere(page, link));
    expect(broken).toEqual([]);
  });

  it('lead from docs/README.md to every page of the folder', () => {
    const linked = new Set(linksOf('docs/README.md').map((link) => link.split('#', 1)[0]));
    const pages = globSync('*.md', { cwd: join(ROOT, 'docs') });
    expect(pages.filter((page) => page !== 'README.md' && !linked.has(page))).toEqual([]);
  });
});

function linksOf(page: string): string[] {
  const text = textOf(page).replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(LINK)].map(([, link]) => link!).filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || anchorsOf(target).has(anchor);
}

/** The anchors that GitHub makes of the headings of a page; the second of the same name ends in -1. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of textOf(page).matchAll(HEADING)) {
    const plain = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const anchor = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    const taken = [...Array(100).keys()].map((number) => (number === 0 ? anchor : `${anchor}-${number}`));
    anchors.add(taken.find((name) => !anchors.has(name))!);
  }
  return anchors;
}

/** A page without what stands in its fenced blocks. */
function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8').replaceAll(FENCE, '');
}
