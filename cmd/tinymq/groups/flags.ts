import { integer, list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const MAX_GROUPS = 10_000;
const json = (of: string) => toggle({ group: 'Output', help: `print one JSON object for each ${of}` });

const listOptions = {
  state: toggle({ group: 'Output', help: 'show the state of each group too' }),
  json: json('group'),
  ...kafkaOptions,
};

export const groupsListProgram: Program<typeof listOptions> = {
  name: 'tinymq groups list',
  summary: 'Lists the groups of consumers.',
  options: listOptions,
  fileFlag: optionsFileFlag,
  examples: ['tinymq groups list', 'tinymq groups list -state'],
};

const describeOptions = {
  all: toggle({ group: 'Groups', help: 'all groups' }),
  members: toggle({
    group: 'Output',
    help: 'show the members and what is assigned to them, instead of offsets',
  }),
  state: toggle({ group: 'Output', help: 'show the state of the groups, instead of offsets' }),
  json: json('row'),
  ...kafkaOptions,
};

export const groupsDescribeProgram: Program<typeof describeOptions> = {
  name: 'tinymq groups describe',
  summary: 'Shows how far groups have read, their members, or their state.',
  options: describeOptions,
  operands: { usage: '[GROUP...]', help: 'which groups', min: 0, max: MAX_GROUPS },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq groups describe billing',
    'tinymq groups describe billing shipping -members',
    'tinymq groups describe -all -state',
  ],
};

const where = 'Where to';
const resetOptions = {
  topic: list({
    group: 'Partitions',
    placeholder: 'TOPIC[:PARTITIONS]',
    aliases: ['t'],
    help: 'a topic, or some partitions of it as in orders:0,2; may be given several times',
  }),
  'all-topics': toggle({ group: 'Partitions', help: 'all topics that the group has offsets of' }),
  'to-earliest': toggle({ group: where, help: 'to the first message that is kept' }),
  'to-latest': toggle({ group: where, help: 'after the last message' }),
  'to-current': toggle({
    group: where,
    help: 'where the group is; after the last message if it has no offset',
  }),
  'to-offset': integer(
    { min: 0, max: Number.MAX_SAFE_INTEGER },
    { group: where, help: 'to an offset, or the nearest one that is there' },
  ),
  'shift-by': integer(
    { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER },
    { group: where, help: 'this many messages forward, or back if negative' },
  ),
  'to-datetime': text({
    group: where,
    placeholder: 'TIME',
    help: 'to the first message from then on, such as 2026-01-31T12:00:00 (UTC unless a zone is given)',
  }),
  'by-duration': text({
    group: where,
    placeholder: 'DURATION',
    help: 'to the first message after a time ago, such as 90m, 7d or PT1H30M',
  }),
  execute: toggle({ group: 'Execution', help: 'do it; without this it is only shown' }),
  json: json('partition'),
  ...kafkaOptions,
};

export const groupsResetOffsetsProgram: Program<typeof resetOptions> = {
  name: 'tinymq groups reset-offsets',
  summary: 'Moves a group without members to another place; only shows it without -execute.',
  options: resetOptions,
  operands: { usage: 'GROUP', help: 'the group', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq groups reset-offsets billing -topic orders -to-earliest',
    'tinymq groups reset-offsets billing -topic orders:0,2 -shift-by -10 -execute',
    'tinymq groups reset-offsets billing -all-topics -by-duration 2h -execute',
  ],
};

const deleteOptions = {
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  ...kafkaOptions,
};

export const groupsDeleteProgram: Program<typeof deleteOptions> = {
  name: 'tinymq groups delete',
  summary: 'Deletes groups that have no members, with their offsets.',
  options: deleteOptions,
  operands: { usage: 'GROUP...', help: 'which groups', min: 1, max: MAX_GROUPS },
  fileFlag: optionsFileFlag,
  examples: ['tinymq groups delete billing', 'tinymq groups delete billing shipping'],
};
