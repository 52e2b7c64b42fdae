import { toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

const supportOptions = {
  'dry-run': toggle({ group: 'Archive', help: 'only say what would be in it' }),
  'skip-verify': toggle({
    group: 'Archive',
    help: 'do not read the whole store of a folder, which may take long',
  }),
  ...brokerOptions,
  json: toggle({ group: 'Output', help: 'print the result as JSON' }),
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  options: kafkaOptions.options,
};

export const supportProgram: Program<typeof supportOptions> = {
  name: 'tinymq support',
  summary:
    'Writes one archive with what a bug report needs: versions, settings, metrics, fates, limits; no secrets.',
  options: supportOptions,
  operands: { usage: 'FILE', help: 'a .tar.gz that is not there yet', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: ['tinymq support tinymq-support.tar.gz', 'tinymq -context prod support /tmp/prod.tar.gz'],
};
