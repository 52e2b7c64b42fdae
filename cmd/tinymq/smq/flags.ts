import { DAY_MS } from '../../cli/options/connection-options.ts';
import { credentialOptions } from '../../cli/options/credential-options.ts';
import { duration, integer, list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const MAX_TOPICS = 10_000;
const MAX_FILES = 100_000;
/** BulkRetrieve counts in 32 bits. */
const MAX_BULK_COUNT = 2 ** 31 - 1;

/** How the commands reach a server of SMQ; what is not their own they share with the commands for Kafka. */
export const smqOptions = {
  address: text({
    group: 'Connection',
    placeholder: 'HOST:PORT|URL',
    default: 'localhost:8097',
    variable: 'TINYMQ_SMQ_ADDRESS',
    help: "the server's gRPC address",
  }),
  ...credentialOptions,
  tls: kafkaOptions.tls,
  'tls-ca': kafkaOptions['tls-ca'],
  'tls-cert': kafkaOptions['tls-cert'],
  'tls-key': kafkaOptions['tls-key'],
  'tls-server-name': kafkaOptions['tls-server-name'],
  'tls-insecure': kafkaOptions['tls-insecure'],
  'connect-timeout': kafkaOptions['connect-timeout'],
  'request-timeout': duration(
    { min: 1, max: DAY_MS },
    {
      group: 'Connection',
      default: '30',
      variable: 'TINYMQ_REQUEST_TIMEOUT',
      help: 'how long an answer may take, and how long a stream may be silent before the server is asked for a sign of life',
    },
  ),
  options: kafkaOptions.options,
};

const quiet = toggle({ group: 'Output', help: 'print nothing unless it fails' });

const topicsCreateOptions = { quiet, ...smqOptions };

export const smqTopicsCreateProgram: Program<typeof topicsCreateOptions> = {
  name: 'tinymq smq topics create',
  summary: 'Creates topics by the protocol of SMQ; those that exist stay as they are.',
  options: topicsCreateOptions,
  operands: { usage: 'NAME...', help: 'which topics', min: 1, max: MAX_TOPICS },
  fileFlag: optionsFileFlag,
  examples: ['tinymq smq topics create orders', 'tinymq smq topics create orders bills -quiet'],
};

const topicsShowOptions = {
  json: toggle({ group: 'Output', help: 'print one JSON object for each topic' }),
  ...smqOptions,
};

export const smqTopicsShowProgram: Program<typeof topicsShowOptions> = {
  name: 'tinymq smq topics show',
  summary: 'Shows the earliest and the latest offset of topics.',
  options: topicsShowOptions,
  operands: { usage: 'NAME...', help: 'which topics', min: 1, max: MAX_TOPICS },
  fileFlag: optionsFileFlag,
  examples: ['tinymq smq topics show orders', 'tinymq smq topics show orders bills -json'],
};

const topicsDeleteUntilOptions = { quiet, ...smqOptions };

export const smqTopicsDeleteUntilProgram: Program<typeof topicsDeleteUntilOptions> = {
  name: 'tinymq smq topics delete-until',
  summary: 'Deletes the message at an offset and all before it.',
  options: topicsDeleteUntilOptions,
  operands: { usage: 'NAME OFFSET', help: 'the topic, and the last offset to delete', min: 2, max: 2 },
  fileFlag: optionsFileFlag,
  examples: ['tinymq smq topics delete-until orders 1000'],
};

const delimiter = {
  placeholder: 'TEXT',
  default: '\\n',
  help: 'what stands between two messages; \\n, \\t, \\r, \\0 and \\x1f are understood',
};

const produceOptions = {
  message: list({
    group: 'Messages',
    placeholder: 'TEXT',
    help: 'a message, instead of the standard input; may be given several times, and goes before files',
  }),
  delimiter: text({ ...delimiter, group: 'Messages' }),
  lines: toggle({
    group: 'Messages',
    help: 'files hold messages with delimiters between, as the standard input does',
  }),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Messages', help: 'exit after this many messages' },
  ),
  json: toggle({ group: 'Output', help: 'print the result as one JSON object' }),
  quiet,
  ...smqOptions,
};

export const smqProduceProgram: Program<typeof produceOptions> = {
  name: 'tinymq smq produce',
  summary: 'Sends the lines of the standard input, or whole files, by the protocol of SMQ.',
  options: produceOptions,
  operands: { usage: 'TOPIC [FILE...]', help: 'where to send', min: 1, max: MAX_FILES },
  fileFlag: optionsFileFlag,
  examples: [
    "printf 'a\\nb\\n' | tinymq smq produce orders",
    'tinymq smq produce orders -message hello -json',
    'tinymq smq produce images door.jpg',
  ],
};

const outputOptions = {
  format: text({
    group: 'Output',
    placeholder: 'TEMPLATE',
    help: 'how to print a message: %s the message, %S its length, %o offset, %t topic, \\n \\t \\r \\x1f',
  }),
  delimiter: text({ ...delimiter, group: 'Output' }),
  json: toggle({ group: 'Output', help: 'print one JSON object for each message' }),
};

const consumeOptions = {
  from: text({
    group: 'Messages',
    placeholder: 'START',
    default: 'beginning',
    help: 'beginning, end, or the offset of the first message',
  }),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Messages', help: 'exit after this many messages' },
  ),
  exit: toggle({ group: 'Messages', help: 'exit after the last message that is there' }),
  ...outputOptions,
  ...smqOptions,
};

export const smqConsumeProgram: Program<typeof consumeOptions> = {
  name: 'tinymq smq consume',
  summary: 'Prints the messages of a topic as they come, by the protocol of SMQ.',
  options: consumeOptions,
  operands: { usage: 'TOPIC', help: 'what to read', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq smq consume orders',
    "tinymq smq consume orders -from 12 -exit -format '%o: %s\\n'",
    'tinymq smq consume orders -from end -count 1 -json',
  ],
};

const bulkOptions = {
  from: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Messages', default: '1', help: 'the offset of the first message, or of where to look for it' },
  ),
  count: integer(
    { min: 1, max: MAX_BULK_COUNT },
    { group: 'Messages', help: 'how many messages at most; all unless given' },
  ),
  ...outputOptions,
  ...smqOptions,
};

export const smqBulkProgram: Program<typeof bulkOptions> = {
  name: 'tinymq smq bulk',
  summary: 'Prints messages that are there, asked for all at once.',
  options: bulkOptions,
  operands: { usage: 'TOPIC', help: 'what to read', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq smq bulk orders -from 1 -count 100',
    'tinymq smq bulk orders -from 101 -count 100 -json',
  ],
};
