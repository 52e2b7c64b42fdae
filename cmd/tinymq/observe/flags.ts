import {
  fatesShown,
  longestTraceSeconds,
  mostFatesShown,
  traceSeconds,
} from '../../../internal/limits/observe.ts';
import { integer, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

const output = {
  json: toggle({ group: 'Output', help: 'print the result as JSON' }),
  options: kafkaOptions.options,
};

const whyOptions = {
  code: text({ group: 'Question', placeholder: 'CODE', help: 'with this code only' }),
  limit: integer(
    { min: 1, max: mostFatesShown },
    {
      group: 'Question',
      placeholder: 'N',
      default: String(fatesShown),
      help: 'at most this number, the last ones',
    },
  ),
  ...brokerOptions,
  ...output,
};

export const whyProgram: Program<typeof whyOptions> = {
  name: 'tinymq why',
  summary: 'Says what was refused, dropped, expired, throttled or disconnected lately, and why.',
  options: whyOptions,
  operands: {
    usage: '[CLIENT|TOPIC|USER]',
    help: 'a client id, a topic, a filter for topics, or the name of a user; everything unless given',
    min: 0,
    max: 1,
  },
  examples: ['tinymq why sensor-7', "tinymq why 'sensors/#'", 'tinymq why -code not-authorized -json'],
  fileFlag: optionsFileFlag,
};

const traceOptions = {
  for: integer(
    { min: 1, max: longestTraceSeconds },
    { group: 'Question', placeholder: 'SECONDS', default: String(traceSeconds), help: 'end after this long' },
  ),
  ...brokerOptions,
  ...output,
};

export const traceProgram: Program<typeof traceOptions> = {
  name: 'tinymq trace',
  summary: 'Shows what messages meet on their way through the broker, as it happens.',
  options: traceOptions,
  operands: {
    usage: 'FILTER|CLIENT',
    help: 'the messages of these topics, or from and to this client',
    min: 1,
    max: 1,
  },
  examples: ["tinymq trace 'sensors/#'", 'tinymq trace sensor-7 -for 300', "tinymq trace '#' -json"],
  fileFlag: optionsFileFlag,
};
