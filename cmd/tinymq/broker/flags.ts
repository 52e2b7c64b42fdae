import type { OptionTable } from '../../cli/options/option.ts';
import { choice, integer, text, toggle } from '../../cli/options/option.ts';
import type { Operands, Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions, placeOptions } from '../reach/flags.ts';

const outputOptions = {
  json: toggle({ group: 'Output', help: 'print the result as JSON' }),
  options: kafkaOptions.options,
};
const quiet = toggle({ group: 'Output', help: 'print nothing unless it fails' });
const common = { ...brokerOptions, ...outputOptions };

/** The most entries that a list prints: whoever wants more asks for parts of it. */
const MOST_LISTED = 1_000_000;

const listOptions = {
  search: text({ group: 'List', placeholder: 'TEXT', help: 'those with this text in a name' }),
  limit: integer(
    { min: 1, max: MOST_LISTED },
    { group: 'List', default: '100', help: 'print no more than this' },
  ),
};

function program<Table extends OptionTable>(given: Omit<Program<Table>, 'fileFlag'>): Program<Table> {
  return { ...given, fileFlag: optionsFileFlag };
}

export const statusProgram = program({
  name: 'tinymq status',
  summary: 'Shows how a broker is and what it does: health, doors, store, and what was dropped.',
  options: common,
  examples: ['tinymq status', 'tinymq status -url https://mq.example.com:8080 -token-file ops.token'],
});

export const CHECK_FORMATS = ['nagios', 'prometheus'] as const;

export const checkProgram = program({
  name: 'tinymq check',
  summary: 'Says for a monitoring system how a broker is; exit codes 0 ok, 1 warning, 2 critical, 3 unknown.',
  options: {
    format: choice(CHECK_FORMATS, {
      group: 'Output',
      default: 'nagios',
      help: 'a line with performance data, or metrics for a file that Prometheus collects',
    }),
    ...common,
  },
  examples: ['tinymq check -data-dir /var/lib/tinymq', 'tinymq check -url http://mq:8080 -format prometheus'],
});

export const clientsLsProgram = program({
  name: 'tinymq clients ls',
  summary: 'Lists the connections of all doors, the newest first.',
  options: {
    ...listOptions,
    door: text({ group: 'List', placeholder: 'NAME', help: 'those of this door, such as mqtt or kafka' }),
    sort: choice(
      ['id', 'client', 'user', 'since', 'received', 'sent', 'waiting', 'receivedBytes', 'sentBytes'],
      {
        group: 'List',
        default: 'id',
        help: 'numbers begin with the largest, names with the first',
      },
    ),
    ...common,
  },
  examples: ['tinymq clients ls', 'tinymq clients ls -door mqtt -sort waiting -limit 10'],
});

const client: Operands = { usage: 'ID', help: 'the number of a connection, or a client id', min: 1, max: 1 };

export const clientsShowProgram = program({
  name: 'tinymq clients show',
  summary: 'Shows all that is known of a connection and its client.',
  options: common,
  operands: client,
  examples: ['tinymq clients show 17', 'tinymq clients show sensor-7'],
});

export const clientsKickProgram = program({
  name: 'tinymq clients kick',
  summary: 'Ends a connection; its client is told why, and may connect again.',
  options: { ...common, quiet },
  operands: client,
  examples: ['tinymq clients kick sensor-7'],
});

export const sessionsLsProgram = program({
  name: 'tinymq sessions ls',
  summary: 'Lists the sessions of MQTT clients that are there or expected back.',
  options: { ...listOptions, ...common },
  examples: ['tinymq sessions ls', 'tinymq sessions ls -search sensor- -limit 1000'],
});

export const sessionsRmProgram = program({
  name: 'tinymq sessions rm',
  summary: 'Ends a session with its connection, and drops what waits in it.',
  options: { ...common, quiet },
  operands: { usage: 'CLIENT', help: 'the client id', min: 1, max: 1 },
  examples: ['tinymq sessions rm sensor-7'],
});

export const subscriptionsProgram = program({
  name: 'tinymq subscriptions',
  summary: 'Lists who is subscribed to what, by filter.',
  options: { ...listOptions, ...common },
  examples: ['tinymq subscriptions -search sensors/'],
});

export const retainedLsProgram = program({
  name: 'tinymq retained ls',
  summary: 'Lists the topics that have a retained message.',
  options: { limit: listOptions.limit, ...common },
  operands: { usage: '[FILTER]', help: 'those that this filter matches; all unless given', min: 0, max: 1 },
  examples: ['tinymq retained ls', "tinymq retained ls 'sensors/#' -json"],
});

export const retainedRmProgram = program({
  name: 'tinymq retained rm',
  summary: 'Removes retained messages; subscribers are sent nothing.',
  options: { ...common, quiet },
  operands: { usage: 'TOPIC...', help: 'the topics', min: 1, max: Number.POSITIVE_INFINITY },
  examples: ['tinymq retained rm sensors/old'],
});

export const retainedGetProgram = program({
  name: 'tinymq retained get',
  summary: 'Prints the payload of a retained message; with -json all that is kept of it.',
  options: common,
  operands: { usage: 'TOPIC', help: 'the topic', min: 1, max: 1 },
  examples: ['tinymq retained get sensors/hall', 'tinymq retained get sensors/hall -json'],
});

export const retainedExportProgram = program({
  name: 'tinymq retained export',
  summary: 'Writes retained messages into a new file, a line of JSON each.',
  options: {
    filter: text({ group: 'Messages', placeholder: 'FILTER', help: 'of topics that this matches; else all' }),
    ...common,
    quiet,
  },
  operands: { usage: 'FILE', help: 'a file that is not there yet', min: 1, max: 1 },
  examples: ['tinymq retained export retained.jsonl', "tinymq retained export hall.jsonl -filter 'hall/#'"],
});

export const retainedImportProgram = program({
  name: 'tinymq retained import',
  summary: 'Publishes the retained messages of such a file; those that have expired are left out.',
  options: { ...common, quiet },
  operands: { usage: 'FILE', help: 'what retained export has written', min: 1, max: 1 },
  examples: ['tinymq retained import retained.jsonl -url http://other:8080'],
});

export const logsLsProgram = program({
  name: 'tinymq logs ls',
  summary: 'Lists the logs: topics of Kafka clients, and live topics that are kept.',
  options: { ...listOptions, ...common },
  examples: ['tinymq logs ls'],
});

export const logsShowProgram = program({
  name: 'tinymq logs show',
  summary: 'Shows a log with its partitions and its settings.',
  options: common,
  operands: { usage: 'NAME', help: 'the name of the log', min: 1, max: 1 },
  examples: ['tinymq logs show orders'],
});

const group: Operands = { usage: 'GROUP', help: 'the group', min: 1, max: 1 };

export const groupsLsProgram = program({
  name: 'tinymq groups ls',
  summary: 'Lists the consumer groups with their members and their lag.',
  options: { ...listOptions, ...common },
  examples: ['tinymq groups ls', 'tinymq groups ls -search billing -json'],
});

export const groupsShowProgram = program({
  name: 'tinymq groups show',
  summary: 'Shows a group: its members, what it has committed, and its lag.',
  options: common,
  operands: group,
  examples: ['tinymq groups show billing'],
});

export const groupsResetProgram = program({
  name: 'tinymq groups reset',
  summary: 'Sets what a group without members has committed; all of it or nothing.',
  options: {
    to: text({
      group: 'Where to',
      placeholder: 'PLACE',
      help: 'earliest, latest, an offset, a time ago such as -1h, an ISO time; none forgets what was committed',
    }),
    topic: text({
      group: 'Partitions',
      placeholder: 'LOG',
      help: 'of this log only; else of all that the group has committed',
    }),
    partition: integer(
      { min: 0, max: 2 ** 31 - 1 },
      { group: 'Partitions', help: 'of this partition of the log only' },
    ),
    ...common,
    quiet,
  },
  operands: group,
  examples: ['tinymq groups reset billing -to earliest', 'tinymq groups reset billing -to -1h -topic orders'],
});

export const groupsRmProgram = program({
  name: 'tinymq groups rm',
  summary: 'Removes a group without members, with what it has committed.',
  options: { ...common, quiet },
  operands: group,
  examples: ['tinymq groups rm billing'],
});

/** Logs are in a store too, where no broker runs. */
const logPlace = { ...brokerOptions, 'data-dir': placeOptions['data-dir'], ...outputOptions, quiet };

export const logsExportProgram = program({
  name: 'tinymq logs export',
  summary:
    'Writes logs with all their records into a new file, a line of JSON each; of a stopped broker too.',
  options: logPlace,
  operands: {
    usage: 'FILE [LOG...]',
    help: 'a file that is not there yet; all logs unless some are named',
    min: 1,
    max: Number.POSITIVE_INFINITY,
  },
  examples: [
    'tinymq logs export logs.jsonl',
    'tinymq logs export orders.jsonl orders -data-dir /var/lib/tinymq',
  ],
});

export const logsImportProgram = program({
  name: 'tinymq logs import',
  summary: 'Appends the records of such a file to logs, which are created where they are not there.',
  options: {
    offsets: choice(['auto', 'keep', 'new'], {
      group: 'Records',
      default: 'auto',
      help: 'keep the offsets, or give new ones; auto keeps them in a log that is empty',
    }),
    'from-line': integer(
      { min: 1, max: Number.MAX_SAFE_INTEGER },
      { group: 'Records', placeholder: 'N', default: '1', help: 'go on with the records from this line on' },
    ),
    ...logPlace,
  },
  operands: { usage: 'FILE', help: 'what logs export has written', min: 1, max: 1 },
  examples: ['tinymq logs import logs.jsonl -url http://other:8080'],
});
