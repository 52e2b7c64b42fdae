import { duration, integer, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

const topOptions = {
  interval: duration(
    { min: 1_000, max: 3_600_000 },
    { group: 'View', default: '2', help: 'how long a sample lasts, at least a second' },
  ),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'View', placeholder: 'N', help: 'end after this many samples' },
  ),
  ...brokerOptions,
  json: toggle({ group: 'Output', help: 'print one JSON object for each sample' }),
  options: kafkaOptions.options,
};

export const topProgram: Program<typeof topOptions> = {
  name: 'tinymq top',
  summary:
    'Shows live what goes through a broker, by door, client and topic; q ends it. A line each in a pipe.',
  options: topOptions,
  fileFlag: optionsFileFlag,
  examples: ['tinymq top', 'tinymq -context prod top -interval 5', 'tinymq top -json -count 10'],
};
