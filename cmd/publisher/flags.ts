import { connectionOptions, LONGEST_TIMER_MS } from '../cli/options/connection-options.ts';
import { mosquittoFlags } from '../cli/options/mosquitto-flags.ts';
import { duration, integer, list, text, toggle } from '../cli/options/option.ts';
import type { Program } from '../cli/options/program.ts';

const options = {
  topic: text({ group: 'Message', placeholder: 'TOPIC', aliases: ['t'], help: 'where to publish' }),
  message: text({ group: 'Message', placeholder: 'TEXT', aliases: ['m'], help: 'the message' }),
  file: text({
    group: 'Message',
    placeholder: 'FILE',
    aliases: ['f'],
    help: 'send the content of a file, with -interval read anew each time; - is the standard input',
  }),
  stdin: toggle({
    group: 'Message',
    aliases: ['s'],
    help: 'send the whole standard input as one message, as -file - does',
  }),
  'stdin-lines': toggle({
    group: 'Message',
    aliases: ['l'],
    help: 'send each line of the standard input as a message',
  }),
  null: toggle({ group: 'Message', aliases: ['n'], help: 'send a message without a payload' }),
  qos: integer(
    { min: 0, max: 2 },
    {
      group: 'Message',
      aliases: ['q'],
      help: 'what is promised: 0 nothing, 1 that it arrives, 2 that it arrives once; 0 unless given',
    },
  ),
  retain: toggle({
    group: 'Message',
    aliases: ['r'],
    help: 'the topic remembers the message for later subscribers; with -null it forgets',
  }),
  header: list({
    group: 'Message',
    placeholder: 'NAME=VALUE',
    help: 'a header of the message; may be given several times',
  }),
  'content-type': text({
    group: 'Message',
    placeholder: 'TYPE',
    help: 'what the message is, such as text/plain',
  }),
  expiry: duration(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Message', help: 'how long the message is of interest; after that nobody gets it' },
  ),
  interval: duration(
    { min: 0, max: LONGEST_TIMER_MS },
    {
      group: 'Message',
      borrowed: ['repeat-delay'],
      help: 'send again and again with this pause, until stopped or -count is reached',
    },
  ),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    {
      group: 'Message',
      borrowed: ['repeat'],
      help: 'how many messages to send; without -interval as fast as the broker takes them',
    },
  ),
  timeout: duration(
    { min: 1, max: LONGEST_TIMER_MS },
    { group: 'Message', help: 'fail if the broker has been away for this long; wait for it unless given' },
  ),
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails for good' }),
  json: toggle({ group: 'Output', help: 'print one JSON object for each message' }),
  stats: toggle({ group: 'Output', help: 'show the rate every second instead of each message' }),
  ...connectionOptions,
  config: text({ group: 'Output', placeholder: 'FILE', help: 'read options from a YAML or JSON file' }),
};

export const publisherProgram: Program<typeof options> = {
  name: 'publisher',
  summary: 'Publishes messages to a tinymq broker.',
  options,
  mainFlag: 'topic',
  elsewhere: {
    ...mosquittoFlags,
    M: 'as much is on its way as the broker takes',
    c: 'what was published waits in the program, not in a session',
    x: 'what was published waits in the program, not in a session',
    D: 'say -header NAME=VALUE, -content-type or -expiry',
    property: 'say -header NAME=VALUE, -content-type or -expiry',
  },
  examples: [
    'publisher -topic sensors/temp -message 22.5',
    'publisher -topic sensors/temp -message 22.5 -interval 2',
    'tail -f access.log | publisher -topic logs/web -stdin-lines',
    'publisher -topic images/door -file door.jpg -network unix -address /tmp/broker.sock',
  ],
};
