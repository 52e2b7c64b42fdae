import { join } from 'node:path';
import { type ClusterPlan, hostPort, type PlannedNode } from './plan.ts';

/** What servers know of each other and of brokers: the public half of the brokers' key, and a password among themselves. */
export interface ServerSecrets {
  readonly brokerKey: string;
  readonly routePassword: string;
}

/** The configuration of one NATS server. */
export function serverFile(plan: ClusterPlan, node: PlannedNode, secrets: ServerSecrets): string {
  const { isLocal, storeFolder, isTls } = plan;
  const listen = (port: number) => quoted(hostPort(isLocal ? node.host : '0.0.0.0', port));
  return `# The NATS server ${node.name} of a cluster of brokers: nats-server -c ${node.name}.conf
# Written by tinymq cluster config. There is a password in it: nobody else should read it.
server_name: ${quoted(node.name)}
listen: ${listen(node.ports.client)}
# Who reaches this needs no credentials: keep it from other networks. tinymq cluster check and brokers ask here.
${isTls ? 'https' : 'http'}: ${listen(node.ports.monitor)}

# A batch of records is one message. The default is smaller than those of Kafka's clients.
max_payload: 8MB

# What is acknowledged has been synced to the disk. The tag says so to brokers, which let no other server keep their logs.
server_tags: ["sync:always"]
jetstream {
  store_dir: ${quoted(join(storeFolder, node.name))}
  sync_interval: always
}

# nats-server -sl ldm (SIGUSR2) gives its streams to the others before it stops.
lame_duck_grace_period: "5s"
lame_duck_duration: "30s"

# The public half of the key in the file credentials, which brokers have.
authorization {
  users: [ { nkey: ${quoted(secrets.brokerKey)} } ]
}
${tlsBlock(plan, node, '')}${plan.nodes.length > 1 ? routesBlock(plan, node, secrets, listen) : ''}`;
}

function routesBlock(
  plan: ClusterPlan,
  node: PlannedNode,
  { routePassword }: ServerSecrets,
  listen: (port: number) => string,
): string {
  const { clusterName, nodes } = plan;
  const routes = nodes.map(({ host, ports }) =>
    quoted(`nats://${ROUTE_USER}:${routePassword}@${hostPort(host, ports.route)}`),
  );
  return `
cluster {
  name: ${quoted(clusterName)}
  listen: ${listen(node.ports.route)}
  authorization { user: ${quoted(ROUTE_USER)}, password: ${quoted(routePassword)}, timeout: 5 }
  routes: [
    ${routes.join('\n    ')}
  ]
  # A server that stands still is left by the others after 6 s, and asked for nothing any more. The default is 90 s.
  ping_interval: "2s"
  ping_max: 2
${tlsBlock(plan, node, '  ')}}
`;
}

const ROUTE_USER = 'route';

function tlsBlock({ folder, isTls }: ClusterPlan, { name }: PlannedNode, indent: string): string {
  if (!isTls) return '';
  const lines = [
    'tls {',
    `  cert_file: ${quoted(join(folder, `${name}.crt`))}`,
    `  key_file: ${quoted(join(folder, `${name}.key`))}`,
    `  ca_file: ${quoted(join(folder, 'ca.crt'))}`,
    '  timeout: 5',
    '}',
  ];
  return `${lines.map((line) => `${indent}${line}`).join('\n')}\n`;
}

/** A text of NATS' configuration: it reads escapes as JSON has them, as far as file names need any. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
