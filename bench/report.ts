import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { Case } from './cases.ts';
import type { Figures } from './load/scenario.ts';
import type { Options } from './options.ts';
import type { CaseResult, ContestantResult } from './run-case.ts';
import { median, spread } from './stats.ts';

interface Column {
  figure: string;
  title: string;
  format: (value: number) => string;
  /** Followed by how much better the first contestant is. */
  better?: 'higher' | 'lower';
  /** Followed by how far the rounds were apart. */
  hasSpread?: boolean;
}

/** What keeps a core busy reaches at least this share of it. */
const BUSY = 0.9;

const rate = (value: number): string => Math.round(value).toLocaleString('en-US');
const share = (value: number): string => `${Math.round(value * 100)} %`;
const finerShare = (value: number): string => `${(value * 100).toFixed(1)} %`;
const two = (value: number): string => value.toFixed(2);
const times = (value: number): string => `${value.toFixed(1)} ×`;
const one = (value: number): string => value.toFixed(1);
const microseconds = (valueNs: number): string => (valueNs / 1000).toFixed(2);
const kibibytes = (value: number): string => (value / 1024).toFixed(1);
const mebibytes = (value: number): string => (value / 1024 / 1024).toFixed(1);

const flow: readonly Column[] = [
  { figure: 'messagesPerSecond', title: 'delivered/s', format: rate, better: 'higher', hasSpread: true },
  { figure: 'brokerCpuNs', title: 'CPU ns each', format: one, better: 'lower' },
  { figure: 'brokerBusy', title: 'broker busy', format: share },
  { figure: 'loadBusy', title: 'load busy', format: share },
];

const acknowledgedFlow: readonly Column[] = [
  { figure: 'messagesPerSecond', title: 'acknowledged/s', format: rate, better: 'higher', hasSpread: true },
  ...flow.slice(1),
];

const memory: Column = { figure: 'residentBytes', title: 'MiB of memory', format: mebibytes };

const kafkaFlow: readonly Column[] = [
  { figure: 'messagesPerSecond', title: 'records/s', format: rate, better: 'higher', hasSpread: true },
  { figure: 'bytesPerSecond', title: 'MiB/s', format: mebibytes },
  { figure: 'brokerCpuNs', title: 'CPU ns each', format: one, better: 'lower' },
  { figure: 'brokerBusy', title: 'broker busy', format: share },
  { figure: 'loadBusy', title: 'load busy', format: share },
  memory,
];

const grpcFlow: readonly Column[] = [
  { figure: 'brokerCpuNs', title: 'CPU µs each', format: microseconds, better: 'lower', hasSpread: true },
  { figure: 'messagesPerSecond', title: 'messages/s', format: rate },
  { figure: 'brokerBusy', title: 'broker busy', format: share },
  { figure: 'loadBusy', title: 'load busy', format: share },
];

/** The tool does not say how busy it was, and waits for nothing but the broker or itself. */
const kafkaTool: readonly Column[] = [
  { figure: 'messagesPerSecond', title: 'records/s', format: rate, better: 'higher', hasSpread: true },
  { figure: 'bytesPerSecond', title: 'MiB/s', format: mebibytes },
  { figure: 'brokerCpuSeconds', title: 'broker CPU s', format: two, better: 'lower' },
  memory,
];

/** What is shown of each kind of case. */
const columns: Readonly<Record<Case['kind'], readonly Column[]>> = {
  throughput: flow,
  sdk: [...flow, { figure: 'loadCpuNs', title: 'load CPU ns each', format: one }],
  latency: [
    { figure: 'p50Us', title: 'p50 µs', format: one, better: 'lower' },
    { figure: 'p99Us', title: 'p99 µs', format: one, better: 'lower' },
    { figure: 'p999Us', title: 'p99.9 µs', format: one, better: 'lower' },
  ],
  idle: [
    { figure: 'bytesPerConnection', title: 'KiB each', format: kibibytes, better: 'lower' },
    { figure: 'residentBytes', title: 'MiB in all', format: mebibytes },
    { figure: 'connectsPerSecond', title: 'connects/s', format: rate },
    { figure: 'restBusy', title: 'busy at rest', format: finerShare },
  ],
  acknowledged: flow,
  'acknowledged-frames': flow,
  'acknowledged-log': acknowledgedFlow,
  'acknowledged-latency': [
    { figure: 'p50Us', title: 'p50 µs', format: one, better: 'lower' },
    { figure: 'p99Us', title: 'p99 µs', format: one, better: 'lower' },
    { figure: 'p999Us', title: 'p99.9 µs', format: one, better: 'lower' },
    { figure: 'acknowledgedP50Us', title: 'acknowledged p50 µs', format: one, better: 'lower' },
    { figure: 'acknowledgedP99Us', title: 'p99 µs', format: one, better: 'lower' },
    { figure: 'acknowledgedP999Us', title: 'p99.9 µs', format: one, better: 'lower' },
    { figure: 'brokerCpuNs', title: 'CPU ns each', format: one },
  ],
  'connect-storm': [
    { figure: 'connectsPerSecond', title: 'connects/s', format: rate, better: 'higher', hasSpread: true },
    { figure: 'brokerCpuNs', title: 'CPU µs each', format: microseconds, better: 'lower' },
    { figure: 'brokerBusy', title: 'broker busy', format: share },
    { figure: 'loadBusy', title: 'load busy', format: share },
  ],
  'cluster-idle': [
    { figure: 'nodeBusy', title: 'a node is busy', format: finerShare },
    { figure: 'natsBusy', title: 'a NATS server is busy', format: finerShare },
  ],
  startup: [{ figure: 'startupMs', title: 'ms', format: one, better: 'lower', hasSpread: true }],
  stuck: [
    { figure: 'messagesPerSecondBefore', title: 'delivered/s before', format: rate },
    { figure: 'messagesPerSecond', title: 'with it', format: rate, better: 'higher' },
    { figure: 'longestGapMs', title: 'longest gap ms', format: one },
    { figure: 'residentBytesBefore', title: 'MiB before', format: mebibytes },
    { figure: 'residentBytesPeak', title: 'MiB at most', format: mebibytes },
  ],
  churn: [
    { figure: 'messagesPerSecondBefore', title: 'delivered/s before', format: rate },
    { figure: 'messagesPerSecond', title: 'meanwhile', format: rate, better: 'higher' },
    { figure: 'longestGapMs', title: 'longest gap ms', format: one },
    { figure: 'churnSeconds', title: 'it took s', format: one },
  ],
  'kafka-produce': kafkaFlow,
  'kafka-fetch': kafkaFlow,
  'kafka-perf-produce': kafkaTool,
  'kafka-perf-consume': kafkaTool,
  'kafka-latency': [
    { figure: 'acknowledgedP50Us', title: 'acknowledged p50 µs', format: one, better: 'lower' },
    { figure: 'acknowledgedP99Us', title: 'p99 µs', format: one, better: 'lower' },
    { figure: 'arrivedP50Us', title: 'at the consumer p50 µs', format: one, better: 'lower' },
    { figure: 'arrivedP99Us', title: 'p99 µs', format: one, better: 'lower' },
    memory,
  ],
  'kafka-many-partitions': [
    { figure: 'acknowledgedP50Us', title: 'acknowledged p50 µs', format: one, better: 'lower' },
    { figure: 'acknowledgedP99Us', title: 'p99 µs', format: one, better: 'lower' },
    { figure: 'brokerCpuNs', title: 'CPU ns each', format: one, better: 'lower' },
    memory,
  ],
  'kafka-startup': [
    { figure: 'startupMs', title: 'ms', format: one, better: 'lower', hasSpread: true },
    memory,
  ],
  'kafka-memory': [
    { figure: 'residentBytesIdle', title: 'MiB at rest', format: mebibytes, better: 'lower' },
    { figure: 'residentBytesAfter', title: 'MiB after', format: mebibytes, better: 'lower' },
    { figure: 'residentBytesSettled', title: 'MiB 2 s later', format: mebibytes },
  ],
  'grpc-unary': grpcFlow,
  'grpc-stream-produce': grpcFlow,
  'grpc-stream-consume': grpcFlow,
  'grpc-bulk': grpcFlow,
  'live-under-produce': [
    { figure: 'quietP50Us', title: 'alone p50 µs', format: one },
    { figure: 'quietP99Us', title: 'p99 µs', format: one },
    { figure: 'p50Us', title: 'beside it p50 µs', format: one },
    { figure: 'p99Us', title: 'p99 µs', format: one },
    { figure: 'p99Times', title: 'p99 grows', format: times },
    { figure: 'bytesPerSecond', title: 'produced MiB/s', format: mebibytes },
  ],
};

/** Says what is about to be measured, and where. */
export function printHead({ rounds, seconds }: Options): void {
  console.log(`${machine()}; ${rounds} rounds of ${seconds} s, medians`);
}

/** One line on stderr. */
export function printProblem(message: string): void {
  console.error(`bench: ${message}`);
}

/** A table with a row for each contestant. */
export function printCase({ case: measured, contestants }: CaseResult): void {
  const shown = columns[measured.kind];
  const first = contestants[0];
  const head = ['', ...shown.flatMap((column) => cellsOfHead(column, first.name)), 'lost'];
  const rows = contestants.map((contestant) => [
    contestant.name,
    ...shown.flatMap((column) => cellsOf(column, contestant, first)),
    rate(lostOf(contestant)),
  ]);
  console.log(`\n${measured.name}: ${measured.title}\n${tableOf([head, ...rows])}`);
  for (const { name, problem } of contestants) if (problem !== undefined) printProblem(`${name}: ${problem}`);
  // A broker that keeps records waits for the disk too.
  if (shown === kafkaFlow || shown === grpcFlow || shown === acknowledgedFlow) return;
  const disturbed = contestants.filter(wasDisturbed).map(({ name }) => name);
  if (disturbed.length === 0) return;
  printProblem(
    `other programs took CPU time from ${disturbed.join(', ')}: compare "CPU ns each", not the rates`,
  );
}

/** Writes everything that was measured to a new file in bench/results, and says where. */
export function saveResults({ rounds, seconds }: Options, results: readonly CaseResult[]): void {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const now = new Date().toISOString();
  const file = join(folder, `${now.replaceAll(':', '-')}.json`);
  const summary = results.map(({ case: measured, contestants }) => ({
    case: measured.name,
    title: measured.title,
    contestants: contestants.map((contestant) => ({ ...contestant, medians: mediansOf(contestant) })),
  }));
  writeFileSync(
    file,
    `${JSON.stringify({ time: now, machine: machine(), rounds, seconds, results: summary }, null, 2)}\n`,
  );
  console.log(`\nall figures: ${file}`);
}

/** The median of each figure over the rounds that lost nothing. */
export function mediansOf(contestant: ContestantResult): Figures {
  const rounds = roundsWithoutLoss(contestant);
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((figures) => figures[name]))]));
}

/** A table in plain text: the first column to the left, all others to the right. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cellsOfHead({ title, better, hasSpread }: Column, first: string): string[] {
  return [title, ...(hasSpread ? ['±'] : []), ...(better ? [`${first.split(',')[0]} is`] : [])];
}

function cellsOf(column: Column, contestant: ContestantResult, first: ContestantResult): string[] {
  const { figure, format, better, hasSpread } = column;
  const value = mediansOf(contestant)[figure];
  const ours = mediansOf(first)[figure];
  const apart = spread(roundsWithoutLoss(contestant).map((figures) => figures[figure])) / 2;
  return [
    value === undefined ? '-' : format(value),
    ...(hasSpread ? [Number.isFinite(apart) ? share(apart) : '-'] : []),
    ...(better ? [contestant === first ? '' : ratio(better, ours, value)] : []),
  ];
}

/** How many times better the first is. */
function ratio(better: 'higher' | 'lower', ours: number | undefined, theirs: number | undefined): string {
  if (ours === undefined || theirs === undefined) return '-';
  const times = better === 'higher' ? ours / theirs : theirs / ours;
  return Number.isFinite(times) ? `${times.toFixed(2)} ×` : '-';
}

/** Neither the broker nor the load generator had its core to itself, or one of them would have been busy. */
function wasDisturbed(contestant: ContestantResult): boolean {
  const { brokerBusy, loadBusy } = mediansOf(contestant);
  return brokerBusy < BUSY && loadBusy < BUSY;
}

function roundsWithoutLoss({ rounds }: ContestantResult): Figures[] {
  return rounds.filter((figures) => !figures.lost);
}

function lostOf({ rounds }: ContestantResult): number {
  return rounds.reduce((sum, figures) => sum + (figures.lost ?? 0), 0);
}

function machine(): string {
  const all = cpus();
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown CPU'}, Linux ${release()}, Node ${process.versions.node}`;
}
