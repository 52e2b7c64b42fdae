import type { OptionTable } from '../../cli/options/option.ts';
import { choice, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

const json = toggle({ group: 'Output', help: 'print the result as JSON' });
const quiet = toggle({ group: 'Output', help: 'print nothing unless it fails' });
const options = kafkaOptions.options;

function program<Table extends OptionTable>(given: Omit<Program<Table>, 'fileFlag'>): Program<Table> {
  return { ...given, fileFlag: optionsFileFlag };
}

export const configShowProgram = program({
  name: 'tinymq config show',
  summary: 'Shows what holds for a broker, and where each value comes from.',
  options: {
    'only-given': toggle({ group: 'Output', help: 'leave out what has its default' }),
    ...brokerOptions,
    json,
    options,
  },
  operands: {
    usage: '[FILE]',
    help: 'a file for broker -config, read with the variables of this shell; unless given, the broker that runs',
    min: 0,
    max: 1,
  },
  examples: ['tinymq config show', 'tinymq config show tinymq.yaml -only-given'],
});

export const configCheckProgram = program({
  name: 'tinymq config check',
  summary:
    'Says whether a broker would start with a file, and opens nothing; exit codes 0 yes, 1 no, 2 usage.',
  options: { json, quiet, options },
  operands: { usage: 'FILE', help: 'a file for broker -config', min: 1, max: 1 },
  examples: ['tinymq config check /etc/tinymq/tinymq.yaml'],
});

export const configSchemaProgram = program({
  name: 'tinymq config schema',
  summary: 'Prints the JSON Schema of the file, for editors.',
  options: { options },
  examples: ['tinymq config schema > tinymq.schema.json'],
});

export const configMigrateProgram = program({
  name: 'tinymq config migrate',
  summary: 'Writes a file for broker -config that does what a mosquitto or a Kafka was told to do.',
  options: {
    from: choice(['mosquitto', 'kafka'], {
      group: 'Migration',
      help: 'whose file it is; a file with dots in its keys is of Kafka unless given',
    }),
    output: text({
      group: 'Migration',
      placeholder: 'FILE',
      default: 'tinymq.yaml',
      help: 'where to; users.yaml and the schema for editors are written beside it',
    }),
    'dry-run': toggle({ group: 'Migration', help: 'print the file, and write nothing' }),
    json,
    quiet,
    options,
  },
  operands: { usage: 'FILE', help: 'mosquitto.conf, or server.properties', min: 1, max: 1 },
  examples: [
    'tinymq config migrate /etc/mosquitto/mosquitto.conf -dry-run',
    'tinymq config migrate mosquitto.conf -output /etc/tinymq/tinymq.yaml',
  ],
});
