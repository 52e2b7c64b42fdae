import { bytes, choice, integer, list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const MAX_PARTITION = 1_000_000;
const MAX_FILES = 100_000;
const MiB = 1024 * 1024;
const delimiter = {
  group: 'Messages',
  placeholder: 'TEXT',
  default: '\\n',
  aliases: ['D'],
  help: 'what stands between two messages; \\n, \\t, \\r, \\0 and \\x1f are understood',
};

const produceOptions = {
  'key-delimiter': text({
    group: 'Messages',
    placeholder: 'TEXT',
    aliases: ['K'],
    help: 'what stands between key and value; where it does not, there is no key',
  }),
  key: text({ group: 'Messages', aliases: ['k'], help: 'the key of every message that brings none' }),
  header: list({
    group: 'Messages',
    placeholder: 'NAME=VALUE',
    aliases: ['H'],
    help: 'a header of every message, without = one without a value; may be given several times',
  }),
  delimiter: text(delimiter),
  lines: toggle({
    group: 'Messages',
    aliases: ['l'],
    help: 'files hold messages with delimiters between, as the standard input does',
  }),
  null: toggle({ group: 'Messages', aliases: ['Z'], help: 'keys and values that are empty are null' }),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Messages', aliases: ['c'], help: 'exit after this many messages' },
  ),
  partition: integer(
    { min: 0, max: MAX_PARTITION },
    { group: 'Sending', aliases: ['p'], help: 'where to; by the key unless given, as the Java client does' },
  ),
  compression: choice(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
    group: 'Sending',
    default: 'none',
    aliases: ['z'],
    help: 'how to compress',
  }),
  acks: choice(['0', '1', 'all'], {
    group: 'Sending',
    default: 'all',
    help: 'who has to have a message: nobody, the leader, or all in-sync replicas',
  }),
  'batch-size': bytes(
    { min: 1, max: 512 * MiB },
    {
      group: 'Sending',
      default: '900KiB',
      help: 'how much to send at once; a message that is larger goes alone',
    },
  ),
  json: toggle({
    group: 'Output',
    aliases: ['J'],
    help: 'print where each message is, one JSON object for each',
  }),
  quiet: toggle({ group: 'Output', aliases: ['q'], help: 'do not say how many messages were sent' }),
  ...kafkaOptions,
};

export const produceProgram: Program<typeof produceOptions> = {
  name: 'tinymq produce',
  summary: 'Sends the lines of the standard input, or whole files, to a topic.',
  options: produceOptions,
  operands: { usage: 'TOPIC [FILE...]', help: 'where to send', min: 1, max: MAX_FILES },
  fileFlag: optionsFileFlag,
  examples: [
    "printf 'a:1\\nb:2\\n' | tinymq produce orders -key-delimiter :",
    'tinymq produce images door.jpg -key door -header type=jpeg',
    'tail -f access.log | tinymq produce logs -compression zstd',
  ],
};

const consumeOptions = {
  from: text({
    group: 'Messages',
    placeholder: 'START',
    aliases: ['o'],
    help:
      'beginning, end, an offset, -N for the last N of each partition, @MS since 1970, an ISO time (UTC unless a ' +
      'zone is given), or a time ago such as -1h; with -group stored, and the others are for partitions of which ' +
      'the group has stored nothing; beginning unless given',
  }),
  partition: integer(
    { min: 0, max: MAX_PARTITION },
    { group: 'Messages', aliases: ['p'], help: 'only this partition' },
  ),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Messages', aliases: ['c'], help: 'exit after this many messages' },
  ),
  exit: toggle({ group: 'Messages', aliases: ['e'], help: 'exit after the last message that is there' }),
  group: text({
    group: 'Messages',
    aliases: ['G'],
    placeholder: 'ID',
    help: 'share the partitions with the other members of this group, and keep how far it is',
  }),
  isolation: choice(['read_uncommitted', 'read_committed'], {
    group: 'Messages',
    default: 'read_committed',
    help: 'whether messages of open and aborted transactions are shown',
  }),
  format: text({
    group: 'Output',
    placeholder: 'TEMPLATE',
    aliases: ['f'],
    help: 'how to print a message: %s value, %S its length, %R that in 4 bytes, %k key, %K its length, %o offset, %p partition, %t topic, %T time in ms, %h headers, \\n \\t \\r \\x1f',
  }),
  delimiter: text({ ...delimiter, group: 'Output' }),
  'key-delimiter': text({
    group: 'Output',
    placeholder: 'TEXT',
    aliases: ['K'],
    help: 'print the key too, with this behind it',
  }),
  null: toggle({ group: 'Output', aliases: ['Z'], help: 'print NULL for a key or a value that is null' }),
  json: toggle({ group: 'Output', aliases: ['J'], help: 'print one JSON object for each message' }),
  quiet: toggle({ group: 'Output', aliases: ['q'], help: 'say nothing about ends and partitions' }),
  ...kafkaOptions,
};

export const consumeProgram: Program<typeof consumeOptions> = {
  name: 'tinymq consume',
  summary: 'Prints the messages of a topic.',
  options: consumeOptions,
  operands: { usage: 'TOPIC', help: 'what to read', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq consume orders -exit',
    "tinymq consume orders -from -10 -format '%p %o %k: %s\\n'",
    'tinymq consume orders -group billing -json',
  ],
};
