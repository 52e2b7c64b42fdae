import { integer, list, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const json = toggle({ group: 'Output', help: 'print one JSON object for each topic' });
const quiet = toggle({ group: 'Output', help: 'print nothing unless it fails' });
/** More than any broker takes; how many it takes is for the broker to say. */
const MAX_PARTITIONS = 1_000_000;
const MAX_REPLICATION_FACTOR = 32_767;
const MAX_TOPICS = 10_000;

const createOptions = {
  partitions: integer(
    { min: 1, max: MAX_PARTITIONS },
    { group: 'Topic', help: "how many partitions; the broker's default unless given" },
  ),
  'replication-factor': integer(
    { min: 1, max: MAX_REPLICATION_FACTOR },
    { group: 'Topic', help: "on how many brokers; the cluster's default unless given" },
  ),
  config: list({
    group: 'Topic',
    placeholder: 'NAME=VALUE',
    help: 'a setting such as retention.ms=3600000; may be given several times',
  }),
  'if-not-exists': toggle({ group: 'Topic', help: 'succeed if the topic is there already' }),
  quiet,
  ...kafkaOptions,
};

export const topicsCreateProgram: Program<typeof createOptions> = {
  name: 'tinymq topics create',
  summary: 'Creates a topic.',
  options: createOptions,
  operands: { usage: 'NAME', help: 'the name of the topic', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq topics create orders',
    'tinymq topics create orders -partitions 6 -config retention.ms=3600000',
    'tinymq topics create prices -config cleanup.policy=compact -if-not-exists',
  ],
};

const listOptions = {
  'exclude-internal': toggle({ group: 'Topics', help: "leave out Kafka's own topics" }),
  json,
  ...kafkaOptions,
};

export const topicsListProgram: Program<typeof listOptions> = {
  name: 'tinymq topics list',
  summary: 'Lists the topics.',
  options: listOptions,
  fileFlag: optionsFileFlag,
  examples: ['tinymq topics list', 'tinymq topics list -exclude-internal -json'],
};

const describeOptions = {
  'exclude-internal': toggle({ group: 'Topics', help: "leave out Kafka's own topics" }),
  json,
  ...kafkaOptions,
};

export const topicsDescribeProgram: Program<typeof describeOptions> = {
  name: 'tinymq topics describe',
  summary: 'Shows partitions of topics, what lies in them, and settings.',
  options: describeOptions,
  operands: { usage: '[NAME...]', help: 'which topics; all of them unless given', min: 0, max: MAX_TOPICS },
  fileFlag: optionsFileFlag,
  examples: ['tinymq topics describe', 'tinymq topics describe orders prices'],
};

const alterOptions = {
  partitions: integer(
    { min: 1, max: MAX_PARTITIONS },
    { group: 'Topic', help: 'how many partitions there are to be; only more than before' },
  ),
  config: list({
    group: 'Topic',
    placeholder: 'NAME=VALUE',
    help: 'a setting to change; may be given several times',
  }),
  'delete-config': list({
    group: 'Topic',
    placeholder: 'NAME',
    help: 'a setting to put back to its default; may be given several times',
  }),
  quiet,
  ...kafkaOptions,
};

export const topicsAlterProgram: Program<typeof alterOptions> = {
  name: 'tinymq topics alter',
  summary: 'Adds partitions to a topic, or changes its settings.',
  options: alterOptions,
  operands: { usage: 'NAME', help: 'the name of the topic', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq topics alter orders -partitions 12',
    'tinymq topics alter orders -config retention.ms=60000 -delete-config max.message.bytes',
  ],
};

const deleteOptions = {
  'if-exists': toggle({ group: 'Topics', help: 'succeed if a topic is not there' }),
  quiet,
  ...kafkaOptions,
};

export const topicsDeleteProgram: Program<typeof deleteOptions> = {
  name: 'tinymq topics delete',
  summary: 'Deletes topics with all their messages.',
  options: deleteOptions,
  operands: { usage: 'NAME...', help: 'the names of the topics', min: 1, max: MAX_TOPICS },
  fileFlag: optionsFileFlag,
  examples: ['tinymq topics delete orders', 'tinymq topics delete orders prices -if-exists'],
};
