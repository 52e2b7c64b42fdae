import { TOPIC_CONFIGS } from '../../log/topic-configs.ts';
import { ALL_HANDLERS } from './handlers/all.ts';

/** The tables of docs/kafka.md, made from the code, by the names of their places in the page. */
const TABLES: Readonly<Record<string, () => string>> = {
  apis: apisTable,
  'topic-configs': topicConfigsTable,
};

/**
 * A page with its tables written anew: what stands between `<!-- table:apis -->` and `<!-- /table -->`.
 *
 * @throws Error where a place names no table, or a table has no place.
 */
export function withKafkaTables(page: string): string {
  const missing = new Set(Object.keys(TABLES));
  const written = page.replace(/<!-- table:(\S+) -->.*?<!-- \/table -->/gs, (_, name: string) => {
    const table = TABLES[name];
    if (table === undefined) throw new Error(`<!-- table:${name} --> names no table`);
    missing.delete(name);
    return `<!-- table:${name} -->\n${table()}\n<!-- /table -->`;
  });
  for (const name of missing) throw new Error(`the page lacks <!-- table:${name} --> … <!-- /table -->`);
  return written;
}

function apisTable(): string {
  const rows = ALL_HANDLERS.map(({ api: { key, name, validVersions }, needs }) => {
    const { min, max } = validVersions;
    return `| ${key} | ${name} | ${min === max ? min : `${min}–${max}`} | ${needs.join(', ')} |`;
  });
  return ['| key | API | versions | asks whether the client may |', '|---:|---|---|---|', ...rows].join('\n');
}

function topicConfigsTable(): string {
  const rows = TOPIC_CONFIGS.map(({ name, default: value, documentation, effect }) => {
    const shown = value === '' ? '' : `\`${value}\``;
    return `| \`${name}\` | ${shown} | ${effect === 'works' ? 'yes' : 'no'} | ${documentation} |`;
  });
  return ['| config | default | has an effect | |', '|---|---|---|---|', ...rows].join('\n');
}
