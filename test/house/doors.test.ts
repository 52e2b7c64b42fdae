import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MAIN_DOOR } from '../../cmd/broker/door-flags.ts';
import { brokerProgram } from '../../cmd/broker/flags.ts';
import { DOORS } from '../../internal/doors/all.ts';
import { doorsAtPortOf, doorsWithPorts } from '../../internal/doors/door.ts';

const docs = fileURLToPath(new URL('../../docs', import.meta.url));
const OPERATIONS = join(docs, 'operations.md');
/** The frames are not opened by a flag of their own name. */
const MAIN_FLAGS = ['network', 'address', 'listen'];

// A door that was added to the table of doors alone would stand in no page.
it('the table of doors in docs/operations.md is that of the code (npx vitest -u writes it anew)', async () => {
  const page = readFileSync(OPERATIONS, 'utf8');
  const written = page.replace(PLACE, `<!-- doors -->\n${doorsTable()}\n<!-- /doors -->`);
  expect(page).toMatch(PLACE);
  await expect(written).toMatchFileSnapshot(OPERATIONS);
});

it('each door has a page', () => {
  for (const { page } of DOORS) expect(existsSync(join(docs, page))).toBe(true);
});

const PLACE = /<!-- doors -->.*?<!-- \/doors -->/s;

function doorsTable(): string {
  const rows = doorsWithPorts(DOORS).map((door) => {
    const doors = [door, ...doorsAtPortOf(door.name, DOORS)];
    const flags = door.name === MAIN_DOOR.name ? MAIN_FLAGS : [door.name];
    for (const flag of flags) expect(Object.keys(brokerProgram.options)).toContain(flag);
    const { defaultUrl, schemes } = door.listening;
    const cells = [
      doors.map(({ title, page }) => `[${title}](${page})`).join(' and '),
      doors.map(({ clients }) => clients).join(', '),
      code([defaultUrl.replace(/^\w+:\/\//, '')]),
      code(flags.map((flag) => `-${flag}`)),
      code(Object.keys(schemes).map((scheme) => `${scheme}://`)),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const heads = ['door', 'clients', 'default address', 'flags', 'URLs'];
  return [`| ${heads.join(' | ')} |`, `|${heads.map(() => '---').join('|')}|`, ...rows].join('\n');
}

function code(texts: readonly string[]): string {
  return texts.map((text) => `\`${text}\``).join(', ');
}
