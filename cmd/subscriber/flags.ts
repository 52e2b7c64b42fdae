import { connectionOptions, LONGEST_TIMER_MS } from '../cli/options/connection-options.ts';
import { mosquittoFlags } from '../cli/options/mosquitto-flags.ts';
import { duration, integer, list, text, toggle } from '../cli/options/option.ts';
import type { Program } from '../cli/options/program.ts';

const options = {
  topic: list({
    group: 'Messages',
    placeholder: 'FILTER',
    aliases: ['t'],
    help: 'what to subscribe to: + is any one level, # the rest; may be given several times',
  }),
  except: list({
    group: 'Messages',
    placeholder: 'FILTER',
    aliases: ['T'],
    help: 'leave out topics that this filter matches; may be given several times',
  }),
  match: list({
    group: 'Messages',
    placeholder: 'GLOB',
    help: 'show only topics that match, for what wildcards cannot say, such as sensors/**/temp-{1..3}',
  }),
  qos: integer(
    { min: 0, max: 2 },
    {
      group: 'Messages',
      aliases: ['q'],
      help: '1 or 2: what was published with a promise is acknowledged, and comes again where the connection breaks off before',
    },
  ),
  session: duration(
    { min: 0, max: Number.MAX_SAFE_INTEGER },
    {
      group: 'Messages',
      aliases: ['x'],
      help: 'how long what is published meanwhile with a promise waits for the next run with the same -id; with -qos 1',
    },
  ),
  'keep-session': toggle({ group: 'Messages', aliases: ['c'], help: 'as -session, for ever' }),
  'skip-retained': toggle({
    group: 'Messages',
    aliases: ['R'],
    help: 'pass over what the broker had retained',
  }),
  'retained-only': toggle({
    group: 'Messages',
    help: 'print only what the broker had retained, and exit at the first message that was not',
  }),
  'remove-retained': toggle({
    group: 'Messages',
    help: 'have the topics of retained messages that come forget them',
  }),
  'exit-when-subscribed': toggle({
    group: 'Messages',
    aliases: ['E'],
    help: 'exit as soon as the broker has granted all subscriptions, to begin a session',
  }),
  exec: text({
    group: 'Commands',
    placeholder: 'COMMAND',
    help: 'run this for each message, with the payload as its input and TINYMQ_MESSAGE_TOPIC and others in its environment; a message is acknowledged when it ends with 0',
  }),
  'exec-parallel': integer(
    { min: 1, max: 1_000 },
    { group: 'Commands', default: '1', help: 'how many commands run at once' },
  ),
  'exec-retries': integer(
    { min: 0, max: 1_000_000 },
    {
      group: 'Commands',
      default: '3',
      help: 'how often one that fails is run again before its message is rejected',
    },
  ),
  'exec-retry-after': duration(
    { min: 0, max: LONGEST_TIMER_MS },
    { group: 'Commands', default: '1', help: 'how long it waits before it is run again' },
  ),
  from: text({
    group: 'Messages',
    placeholder: 'START',
    help: 'begin with messages that the broker has kept: earliest, an offset, a time ago such as -1h, an ISO time, or latest',
  }),
  count: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER },
    { group: 'Messages', aliases: ['C'], help: 'exit after this many messages' },
  ),
  timeout: duration(
    { min: 1, max: LONGEST_TIMER_MS },
    {
      group: 'Messages',
      help: 'exit if no message arrives for this long; exit code 1 if -count was not reached',
    },
  ),
  'stop-after': duration(
    { min: 1, max: LONGEST_TIMER_MS },
    {
      group: 'Messages',
      aliases: ['W'],
      help: 'exit after this long, whatever arrives; exit code 27 if -count was not reached before',
    },
  ),
  format: text({
    group: 'Output',
    placeholder: 'TEMPLATE',
    help: 'how to print a message: %t topic, %p payload, %x payload in hex, %l its length, %i publisher, %T time of reading, \\n, \\t; with -from also %o offset, %L log, %n partition, %P time of publishing',
  }),
  'mosquitto-format': text({
    group: 'Output',
    placeholder: 'TEMPLATE',
    aliases: ['F'],
    help: 'how to print a message, in the words of mosquitto_sub -F: %t %p %j %J %I %U, @H:@M, widths; docs/mosquitto-tools.md',
  }),
  verbose: toggle({
    group: 'Output',
    aliases: ['v'],
    help: 'print topic and payload as they are, with a space between them',
  }),
  'omit-newline': toggle({
    group: 'Output',
    aliases: ['N'],
    help: 'end no message with a line break; without -verbose and -mosquitto-format the same as -raw',
  }),
  raw: toggle({ group: 'Output', help: 'print the payloads as they are, without anything between them' }),
  json: toggle({ group: 'Output', help: 'print one JSON object for each message' }),
  stats: toggle({ group: 'Output', help: 'show the rate every second instead of the messages' }),
  quiet: toggle({ group: 'Output', help: 'say nothing about the connection unless it fails for good' }),
  ...connectionOptions,
  config: text({ group: 'Output', placeholder: 'FILE', help: 'read options from a YAML or JSON file' }),
};

export const subscriberProgram: Program<typeof options> = {
  name: 'subscriber',
  summary: 'Prints what is published to a tinymq broker.',
  options,
  mainFlag: 'topic',
  exitCodes: ',\n27 the time of -stop-after is over',
  elsewhere: { ...mosquittoFlags, U: 'it subscribes to nothing that was not asked for' },
  examples: [
    "subscriber -topic 'sensors/#'",
    'subscriber -topic sensors/+/temp -topic alarms -json',
    "subscriber -topic 'sensors/#' -format '%T %t %p\\n'",
    "subscriber -topic 'sensors/#' -from -1h",
    "subscriber -topic sensors/temp -from earliest -format '%o %P %p'",
    'subscriber -topic images/door -count 1 -raw > door.jpg',
  ],
};
