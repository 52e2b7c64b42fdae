import { clusterOptions } from '../../cli/options/cluster-options.ts';
import { integer, list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { brokerOptions } from '../reach/flags.ts';

const MOST_PORT = 65_535;

const port = (group: string, value: string, help: string) =>
  integer({ min: 1, max: MOST_PORT }, { group, placeholder: 'PORT', default: value, help });

const configOptions = {
  nodes: list({
    group: 'Cluster',
    placeholder: 'NAME|NAME=HOST',
    help: 'the NATS servers: one, three, five or seven names, with commas between; the name is the host unless that stands behind it',
  }),
  local: toggle({
    group: 'Cluster',
    help: 'all of them on this machine, to try it: each has ports of its own, counted up, which nobody else reaches',
  }),
  'cluster-name': text({
    group: 'Cluster',
    placeholder: 'NAME',
    default: 'tinymq',
    help: 'what the streams are called; several clusters of brokers may share servers',
  }),
  out: text({
    group: 'Cluster',
    placeholder: 'FOLDER',
    default: './cluster',
    help: 'where the files are written; none that is there is overwritten',
  }),
  'store-dir': text({
    group: 'Servers',
    placeholder: 'FOLDER',
    help: 'where each server keeps its streams on its machine, in a folder of its name; data in the folder of the files unless given',
  }),
  port: port('Servers', '4222', 'for brokers'),
  'route-port': port('Servers', '6222', 'for the other servers'),
  'monitor-port': port('Servers', '8222', 'for questions by HTTP, which need no credentials'),
  tls: toggle({
    group: 'Servers',
    help: 'make a CA and a certificate for each server too, and let them speak TLS only',
  }),
  image: text({
    group: 'Brokers in containers',
    placeholder: 'IMAGE',
    default: 'tinymq',
    help: 'the image of the broker',
  }),
  'advertised-host': text({
    group: 'Brokers in containers',
    placeholder: 'HOST',
    default: 'localhost',
    help: 'by which name Kafka clients reach the ports of the containers',
  }),
  'mqtt-port': port('Brokers in containers', '1883', 'of the first broker; the others count up'),
  'kafka-port': port('Brokers in containers', '9092', 'of the first broker; the others count up'),
  'grpc-port': port('Brokers in containers', '8097', 'of the first broker; the others count up'),
  'http-port': port('Brokers in containers', '8080', 'of the first broker; the others count up'),
  json: toggle({ group: 'Output', help: 'print the files and commands as one JSON object' }),
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  options: kafkaOptions.options,
};

export const clusterConfigProgram: Program<typeof configOptions> = {
  name: 'tinymq cluster config',
  summary:
    'Writes what NATS servers and brokers of a cluster are started with: configuration, credentials, a compose file.',
  options: configOptions,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq cluster config -nodes a.example.com,b.example.com,c.example.com -store-dir /var/lib/nats',
    'tinymq cluster config -nodes a,b,c -local',
    'tinymq cluster config -nodes a=192.0.2.1,b=192.0.2.2,c=192.0.2.3 -tls',
  ],
};

const json = toggle({ group: 'Output', help: 'print the result as one JSON object' });
const reachOptions = { ...clusterOptions, json, options: kafkaOptions.options };

export const clusterStatusProgram: Program<typeof reachOptions> = {
  name: 'tinymq cluster status',
  summary:
    'Shows the servers, brokers and streams of a cluster, who owns each shard, and what somebody should see to.',
  options: reachOptions,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq cluster status -cluster nats://a:4222,nats://b:4222,nats://c:4222 -cluster-credentials cluster/credentials',
  ],
};

const checkOptions = {
  ...clusterOptions,
  'counts-only': toggle({
    group: 'Check',
    help: 'compare how many messages the servers have, by their monitors, and read nothing',
  }),
  json,
  quiet: toggle({ group: 'Output', help: 'print nothing unless something is wrong' }),
  options: kafkaOptions.options,
};

export const clusterCheckProgram: Program<typeof checkOptions> = {
  name: 'tinymq cluster check',
  summary:
    'Reads each stream from each server, and names the server that lacks something; exit codes 0 whole, 1 not, 2 usage.',
  options: checkOptions,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq cluster check -cluster nats://a:4222,nats://b:4222,nats://c:4222 -cluster-monitor http://a:8222,http://b:8222,http://c:8222',
  ],
};

const importOptions = {
  ...brokerOptions,
  'no-compare': toggle({
    group: 'Import',
    help: 'do not read all records once more from both sides to compare them',
  }),
  json,
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  options: kafkaOptions.options,
};

export const clusterImportProgram: Program<typeof importOptions> = {
  name: 'tinymq cluster import',
  summary:
    'Copies what a broker on its own has into a cluster, through any node: logs with their offsets, groups, retained messages, users, rules and limits.',
  options: importOptions,
  operands: {
    usage: 'FOLDER',
    help: 'the data folder of a broker that is stopped, or one that tinymq restore has made of a backup',
    min: 1,
    max: 1,
  },
  fileFlag: optionsFileFlag,
  examples: ['tinymq cluster import ./old -url http://a.example.com:8080'],
};
