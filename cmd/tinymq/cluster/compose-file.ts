import { join } from 'node:path';
import { Document, visit } from 'yaml';
import { brokerNameOf, type ClusterPlan, monitorUrls, type PlannedNode, serverUrls } from './plan.ts';

/** The version that tests start. */
const NATS_IMAGE = 'nats:2.15.2-alpine';
/** Where files are in the containers of brokers. */
const INSIDE = '/run/cluster';
const CREDENTIALS = `${INSIDE}/credentials`;
const CA = `${INSIDE}/ca.crt`;

/** Who runs the containers, so that they read what belongs to them. */
export type Owner = { readonly uid: number; readonly gid: number } | undefined;

/** NATS servers and brokers in containers of one machine, with the same files as without. */
export function composeFile(plan: ClusterPlan, owner: Owner): string {
  const servers = plan.nodes.map((node, index) => [node.name, serverService(plan, node, index, owner)]);
  const brokers = plan.nodes.map((node) => [brokerNameOf(node.name), brokerService(plan, node, owner)]);
  const services = Object.fromEntries([...servers, ...brokers]);
  return `# NATS servers and brokers of a cluster on this machine, to try it. Written by tinymq cluster config. The brokers are open to
# everybody on this machine, and to nobody else, because their ports are published there only.
#
#     docker compose -f ${join(plan.folder, 'compose.yaml')} up
${yamlText({ services })}`;
}

/** Lists on one line, and texts in quotation marks: some of them look like numbers of base 60. */
function yamlText(content: object): string {
  const document = new Document(content, { aliasDuplicateObjects: false });
  visit(document, {
    Seq(_key, node) {
      node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}

/** Its files are where its configuration says, inside as outside. */
function serverService(plan: ClusterPlan, node: PlannedNode, index: number, owner: Owner): object {
  const { folder, storeFolder, isTls } = plan;
  const { name, host, ports } = node;
  const config = join(folder, `${name}.conf`);
  const certificates = isTls ? [`${name}.crt`, `${name}.key`, 'ca.crt'] : [];
  return {
    image: NATS_IMAGE,
    ...userOf(owner),
    command: ['-c', config],
    ...(host !== name && { networks: { default: { aliases: [host] } } }),
    ports: [
      `127.0.0.1:${ports.client + index}:${ports.client}`,
      `127.0.0.1:${ports.monitor + index}:${ports.monitor}`,
    ],
    volumes: [
      `./${name}.conf:${config}:ro`,
      ...certificates.map((file) => `./${file}:${join(folder, file)}:ro`),
      `./data/${name}:${join(storeFolder, name)}`,
    ],
    // It gives its streams to the others before it stops.
    stop_signal: 'SIGUSR2',
    stop_grace_period: '60s',
    healthcheck: {
      test: ['CMD', 'wget', '-q', '-O', '/dev/null', ...healthOf(isTls, ports.monitor)],
      interval: '5s',
      timeout: '5s',
      retries: 12,
    },
    ...HARDENED,
  };
}

function healthOf(isTls: boolean, port: number): string[] {
  // The name of a container is in no certificate of its own loopback.
  return isTls
    ? ['--no-check-certificate', `https://127.0.0.1:${port}/healthz`]
    : [`http://127.0.0.1:${port}/healthz`];
}

function brokerService(plan: ClusterPlan, node: PlannedNode, owner: Owner): object {
  const { nodes, isTls, image, advertisedHost } = plan;
  const { broker } = node;
  return {
    image,
    ...userOf(owner),
    command: [
      '-allow-anonymous',
      ...clusterFlags(plan, CREDENTIALS, CA),
      ...['-kafka-advertised', `${advertisedHost}:${broker.kafka}`],
    ],
    ports: [
      `127.0.0.1:${broker.mqtt}:1883`,
      `127.0.0.1:${broker.kafka}:9092`,
      `127.0.0.1:${broker.grpc}:8097`,
      `127.0.0.1:${broker.http}:8080`,
    ],
    volumes: [
      `./credentials:${CREDENTIALS}:ro`,
      ...(isTls ? [`./ca.crt:${CA}:ro`] : []),
      `./data/${brokerNameOf(node.name)}:/data`,
    ],
    depends_on: Object.fromEntries(nodes.map(({ name }) => [name, { condition: 'service_healthy' }])),
    ulimits: { nofile: 200_000 },
    ...HARDENED,
  };
}

/** What a broker is told to be one of the cluster. */
export function clusterFlags(plan: ClusterPlan, credentials: string, ca: string): string[] {
  const { clusterName, isTls, nodes } = plan;
  return [
    ...['-cluster', serverUrls(plan).join(',')],
    ...(clusterName === 'tinymq' ? [] : ['-cluster-name', clusterName]),
    ...['-cluster-credentials', credentials],
    ...(isTls ? ['-cluster-tls-ca', ca] : []),
    // One on its own has no other way to say that it syncs.
    ...(nodes.length === 1 ? ['-cluster-monitor', monitorUrls(plan).join(',')] : []),
  ];
}

const HARDENED = {
  read_only: true,
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
  restart: 'unless-stopped',
};

function userOf(owner: Owner): object {
  return owner === undefined ? {} : { user: `${owner.uid}:${owner.gid}` };
}
