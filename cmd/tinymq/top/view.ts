import { printableText } from '../../../internal/lib/printable.ts';
import { cutToWidth, padToWidth } from '../../../internal/lib/text-width.ts';
import { ageText, countText, sizeText } from '../broker/words.ts';
import { counted } from '../report.ts';
import { tableText } from '../table.ts';
import type { ClientRates, Sample } from './snapshot.ts';

/** What clients may be sorted by, and the key that does it. */
export const SORTS = {
  b: { name: 'bytes', of: ({ bytesIn, bytesOut }: ClientRates) => bytesIn + bytesOut },
  i: { name: 'in', of: ({ messagesIn }: ClientRates) => messagesIn },
  o: { name: 'out', of: ({ messagesOut }: ClientRates) => messagesOut },
  w: { name: 'waiting', of: ({ waiting }: ClientRates) => waiting },
} as const;

export type SortKey = keyof typeof SORTS;

/** How a sample is to be shown. */
export interface View {
  readonly width: number;
  readonly height: number;
  readonly sort: SortKey;
  /** What went wrong since the sample, where something did. */
  readonly problem: string | undefined;
  /** Marks what stands out, without a change of its width. */
  readonly mark: { title(text: string): string; problem(text: string): string };
}

/** A screen of lines, none longer than it is wide, and as many as it is high. */
export function screenOf(sample: Sample, view: View): string[] {
  const head = headLines(sample, view);
  const doors = block(
    ['DOOR', 'CONNECTIONS', 'IN/s', 'OUT/s', 'BYTES IN/s', 'BYTES OUT/s'],
    sample.doors.map(({ door, connections, ...rates }) => [
      door,
      countText(connections),
      ...rateCells(rates),
    ]),
    sample.doors.length + 1,
    view,
  );
  const left = Math.max(0, view.height - head.length - doors.length - 1);
  const topicLines = Math.min(sample.topics.length + 1, Math.max(3, Math.floor(left / 3)));
  const topics = sample.topics.length === 0 ? [] : topicBlock(sample, topicLines, view);
  const clients = clientBlock(sample.clients, left - topics.length, view);
  const lines = [...head, ...doors, ...clients, ...topics].slice(0, view.height - 1);
  const empty = Array.from({ length: view.height - 1 - lines.length }, () => '');
  const shown = [...lines, ...empty, footer(view)];
  return shown.slice(-view.height);
}

function headLines(sample: Sample, { width, mark, problem }: View): string[] {
  const { perSecond, waiting, store, heapBytes, eventLoopDelayMs } = sample;
  const up = ageText(Date.now() - Date.parse(sample.startedAt));
  const bytes = store.bytes === undefined ? '' : ` ${sizeText(store.bytes)}`;
  const free = store.freeBytes === undefined ? '' : `, ${sizeText(store.freeBytes)} free`;
  const loop = eventLoopDelayMs === undefined ? '' : `   loop ${eventLoopDelayMs.toFixed(1)} ms`;
  const heap = heapBytes === undefined ? '' : `   heap ${sizeText(heapBytes)}`;
  const wrong = problem ?? sample.problems.join('; ');
  const cut = (line: string) => cutToWidth(printableText(line), width);
  return [
    mark.title(
      padToWidth(cut(`tinymq ${sample.version}   up ${up}   health ${sample.health}   ${sample.at}`), width),
    ),
    wrong === '' ? '' : mark.problem(cut(wrong)),
    cut(
      `in ${countText(perSecond.messagesIn)}/s ${sizeText(perSecond.bytesIn)}/s   ` +
        `out ${countText(perSecond.messagesOut)}/s ${sizeText(perSecond.bytesOut)}/s   ` +
        `dropped ${countText(perSecond.dropped)}/s, ${countText(sample.dropped)} in all`,
    ),
    cut(
      `waiting ${countText(waiting.messages)} messages, ${sizeText(waiting.bytes)}   ` +
        `sessions ${countText(sample.sessions)}   subscriptions ${countText(sample.subscriptions)}   ` +
        `retained ${countText(sample.retained)}`,
    ),
    cut(`store ${store.kind}${bytes}${free}, ${counted(waiting.changes, 'change')} waiting${heap}${loop}`),
    '',
  ];
}

function clientBlock(clients: readonly ClientRates[], lines: number, view: View): string[] {
  const { of } = SORTS[view.sort];
  const sorted = clients.toSorted((a, b) => of(b) - of(a) || b.id - a.id).slice(0, Math.max(0, lines - 2));
  const rows = sorted.map(({ client, user, door, remote, waiting, ...rates }) => [
    ...[client || remote, user ?? '-', door, ...rateCells(rates), countText(waiting)],
  ]);
  const titles = ['CLIENT', 'USER', 'DOOR', 'IN/s', 'OUT/s', 'BYTES IN/s', 'BYTES OUT/s', 'WAITING'];
  return block(titles, rows, lines - 1, view);
}

function topicBlock({ topics }: Sample, lines: number, view: View): string[] {
  const rows = topics.map(({ topic, messagesPerSecond, log }) => [
    ...[topic, countText(messagesPerSecond)],
    ...(log === undefined
      ? ['-', '-', '-']
      : [countText(log.recordsPerSecond), countText(log.records), sizeText(log.bytes)]),
  ]);
  return block(['TOPIC', 'LIVE/s', 'LOG/s', 'RECORDS', 'LOG BYTES'], rows, lines, view);
}

const NAMES: ReadonlySet<string> = new Set(['DOOR', 'CLIENT', 'USER', 'TOPIC']);

/** A table of at most so many lines, with an empty one behind it. */
function block(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  lines: number,
  { width, mark }: View,
): string[] {
  if (lines < 1) return [];
  const columns = titles.map((title) => ({ title, minWidth: 0, isNumber: !NAMES.has(title) }));
  const [title = '', ...rest] = tableText(columns, rows.slice(0, Math.max(0, lines - 1)), width)
    .trimEnd()
    .split('\n');
  return [mark.title(padToWidth(title, width)), ...rest, ''];
}

function rateCells(
  rates: Pick<ClientRates, 'messagesIn' | 'messagesOut' | 'bytesIn' | 'bytesOut'>,
): string[] {
  const { messagesIn, messagesOut, bytesIn, bytesOut } = rates;
  return [countText(messagesIn), countText(messagesOut), sizeText(bytesIn), sizeText(bytesOut)];
}

function footer({ sort, width, mark }: View): string {
  const keys = Object.entries(SORTS).map(([key, { name }]) => `${key} ${name}${key === sort ? '*' : ''}`);
  return mark.title(padToWidth(cutToWidth(`q quit   sort by: ${keys.join('  ')}`, width), width));
}

/** A sample in one line, for a pipe. */
export function lineOf({ at, perSecond, waiting, connections, dropped, store, health }: Sample): string {
  const bytes = store.bytes === undefined ? '' : `  store ${sizeText(store.bytes)}`;
  return (
    `${at}  in ${countText(perSecond.messagesIn)}/s ${sizeText(perSecond.bytesIn)}/s  ` +
    `out ${countText(perSecond.messagesOut)}/s ${sizeText(perSecond.bytesOut)}/s  ` +
    `waiting ${countText(waiting.messages)}  dropped ${countText(perSecond.dropped)}/s (${countText(dropped)})  ` +
    `connections ${countText(connections)}${bytes}  health ${health}\n`
  );
}
