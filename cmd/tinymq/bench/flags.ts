import { bytes, choice, duration, integer, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

const DAY_MS = 86_400_000;
const MiB = 1024 * 1024;
const MOST_CLIENTS = 1_000;
/** The time at which a message was due, and the number of its publisher. */
export const LEAST_PAYLOAD_BYTES = 12;

const load = 'Load';

const benchOptions = {
  duration: duration({ min: 100, max: DAY_MS }, { group: load, default: '10', help: 'how long to measure' }),
  'warm-up': duration(
    { min: 0, max: DAY_MS },
    { group: load, default: '1', help: 'how long to publish before that' },
  ),
  size: bytes(
    { min: LEAST_PAYLOAD_BYTES, max: 64 * MiB },
    { group: load, default: '100B', help: 'bytes of a payload' },
  ),
  publishers: integer({ min: 1, max: MOST_CLIENTS }, { group: load, default: '1', help: 'how many publish' }),
  subscribers: integer(
    { min: 1, max: MOST_CLIENTS },
    { group: load, default: '1', help: 'how many get each message' },
  ),
  rate: integer(
    { min: 1, max: 10_000_000 },
    {
      group: load,
      placeholder: 'N',
      help: 'messages a second of all publishers together, each counted from when it was due; as fast as they arrive unless given',
    },
  ),
  window: integer(
    { min: 1, max: 1_000_000 },
    {
      group: load,
      default: '100',
      help: 'without -rate: messages of a publisher that may be on their way',
    },
  ),
  protocol: choice(['frames', 'mqtt', 'kafka'], {
    group: load,
    default: 'frames',
    help: 'by which protocol',
  }),
  qos: choice(['0', '1'], {
    group: load,
    default: '0',
    help: 'with mqtt: whether messages are acknowledged',
  }),
  acks: choice(['0', '1', 'all'], {
    group: load,
    default: 'all',
    help: 'with kafka: who has to have a message: nobody, the leader, or all in-sync replicas',
  }),
  partitions: integer(
    { min: 1, max: MOST_CLIENTS },
    { group: load, default: '1', help: 'with kafka: of the topic; publishers take them in turn' },
  ),
  address: text({
    group: load,
    placeholder: 'URL',
    help: 'where to publish and subscribe, such as tls://host:8883; unless given, where the broker says that it listens',
  }),
  ...brokerOptions,
  json: toggle({ group: 'Output', help: 'print the result as JSON' }),
  quiet: toggle({ group: 'Output', help: 'print nothing but the result' }),
  options: kafkaOptions.options,
};

export const benchProgram: Program<typeof benchOptions> = {
  name: 'tinymq bench',
  summary: 'Measures from here how many messages a second go through a broker, and how long they take.',
  options: benchOptions,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq bench -duration 30',
    'tinymq bench -rate 1000 -publishers 10 -subscribers 2 -size 1KiB',
    'tinymq bench -protocol kafka -publishers 4 -partitions 4',
    'tinymq -context prod bench -protocol mqtt -qos 1 -rate 100 -json',
  ],
};
