import { list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { placeOptions } from '../reach/flags.ts';

const dataDir = text({
  group: 'Store',
  placeholder: 'DIR',
  default: './data',
  variable: 'TINYMQ_DATA_DIR',
  help: "where to: the broker's folder; the broker must not be running",
});
const outputOptions = {
  json: toggle({ group: 'Output', help: 'print the result as one JSON object' }),
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  options: kafkaOptions.options,
};

const importKafkaOptions = {
  'data-dir': dataDir,
  'metadata-dir': text({
    group: 'Kafka',
    placeholder: 'DIR',
    help: 'metadata.log.dir, where the metadata log is in none of the log directories',
  }),
  'log-dir': list({
    group: 'Kafka',
    placeholder: 'DIR',
    help: 'another of log.dirs, where there are several; may be given several times',
  }),
  ...outputOptions,
};

export const importKafkaProgram: Program<typeof importKafkaOptions> = {
  name: 'tinymq import kafka',
  summary: 'Copies the topics and groups of a Kafka log directory into the store of a broker.',
  options: importKafkaOptions,
  operands: { usage: 'DIR', help: 'the log directory of a Kafka that is stopped', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq import kafka /var/lib/kafka/data -data-dir ./data',
    'tinymq import kafka /disk1/kafka -log-dir /disk2/kafka',
  ],
};

const importSmqOptions = { 'data-dir': dataDir, ...outputOptions };

export const importSmqProgram: Program<typeof importSmqOptions> = {
  name: 'tinymq import smq',
  summary: 'Copies the topics of a database of the original SMQ into the store of a broker.',
  options: importSmqOptions,
  operands: { usage: 'FILE', help: 'the database of an SMQ that is stopped', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: ['tinymq import smq dbtest.db -data-dir ./data'],
};

const importMosquittoOptions = {
  conf: text({
    group: 'Mosquitto',
    placeholder: 'FILE',
    help: 'mosquitto.conf: its password_file, acl_file and allow_anonymous are taken over',
  }),
  passwords: text({
    group: 'Mosquitto',
    placeholder: 'FILE',
    help: 'a password file, as mosquitto_passwd makes it',
  }),
  acl: text({ group: 'Mosquitto', placeholder: 'FILE', help: 'an ACL file' }),
  output: text({
    group: 'Broker',
    placeholder: 'FILE',
    help: 'write a file for broker -users, and leave the store alone',
  }),
  'dry-run': toggle({ group: 'Broker', help: 'say what would be taken over, and change nothing' }),
  ...placeOptions,
  ...outputOptions,
};

export const importMosquittoProgram: Program<typeof importMosquittoOptions> = {
  name: 'tinymq import mosquitto',
  summary: 'Takes over users and rules of mosquitto; says what it cannot take over, with its line.',
  options: importMosquittoOptions,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq import mosquitto -conf /etc/mosquitto/mosquitto.conf -dry-run',
    'tinymq import mosquitto -passwords passwd -acl acl -output users.yaml',
  ],
};
