import type { OptionTable } from '../../cli/options/option.ts';
import { choice, duration, integer, text, toggle } from '../../cli/options/option.ts';
import type { Operands, Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

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

export const topProgram = program({
  name: 'tinymq top',
  summary: 'Shows live what a broker does and which clients do most; q ends it.',
  options: {
    every: duration(
      { min: 200, max: 60_000 },
      { group: 'Output', default: '2', help: 'the time between two pictures' },
    ),
    once: toggle({ group: 'Output', help: 'print one picture, after one -every, and end' }),
    ...brokerOptions,
    options: kafkaOptions.options,
  },
  examples: ['tinymq top', 'tinymq top -every 5 -context prod'],
});
