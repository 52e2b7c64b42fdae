import { list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const dataDir = (help: string) =>
  text({ group: 'Store', placeholder: 'FOLDER', default: './data', variable: 'TINYMQ_DATA_DIR', help });

const outputOptions = {
  json: toggle({ group: 'Output', help: 'print the result as one JSON object' }),
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  options: kafkaOptions.options,
};

const backupOptions = {
  'data-dir': dataDir('the data folder of the broker, which may be running'),
  'kafka-log-dir': list({
    group: 'Store',
    placeholder: 'FOLDER',
    variable: 'TINYMQ_KAFKA_LOG_DIR',
    help: 'the log directories of a Kafka, instead of a data folder; the broker that has them may be running',
  }),
  ...outputOptions,
};

export const backupProgram: Program<typeof backupOptions> = {
  name: 'tinymq backup',
  summary: 'Copies the whole store of a broker into one file; the broker goes on meanwhile.',
  options: backupOptions,
  operands: { usage: 'FILE', help: 'the file to write', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq backup /backups/tinymq-monday.db -data-dir /var/lib/tinymq',
    'tinymq backup /backups/logs-monday.db -kafka-log-dir /var/lib/kafka/data',
  ],
};

const restoreOptions = {
  'data-dir': dataDir('the data folder to make; it must be empty'),
  ...outputOptions,
};

export const restoreProgram: Program<typeof restoreOptions> = {
  name: 'tinymq restore',
  summary: 'Reads a backup whole, and makes it the store of a data folder.',
  options: restoreOptions,
  operands: { usage: 'FILE', help: 'a file that tinymq backup made', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: ['tinymq restore /backups/tinymq-monday.db -data-dir /var/lib/tinymq'],
};

const verifyOptions = {
  'data-dir': dataDir('the data folder to read; its broker may be running'),
  'kafka-log-dir': list({
    group: 'Store',
    placeholder: 'FOLDER',
    variable: 'TINYMQ_KAFKA_LOG_DIR',
    help: 'the log directories of a Kafka, instead of a data folder; a broker may have them meanwhile, a Kafka may not',
  }),
  ...outputOptions,
};

export const verifyProgram: Program<typeof verifyOptions> = {
  name: 'tinymq verify',
  summary: 'Reads a store or a backup whole, and says what is damaged; exit code 1 if anything is.',
  options: verifyOptions,
  operands: { usage: '[FILE]', help: 'a backup; the store of -data-dir unless given', min: 0, max: 1 },
  fileFlag: optionsFileFlag,
  examples: ['tinymq verify -data-dir /var/lib/tinymq', 'tinymq verify /backups/tinymq-monday.db'],
};
