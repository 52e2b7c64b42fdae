import { existsSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { problemOfProgram } from '../processes.ts';
import { mqtt } from './mqtt.ts';
import type { LivePeer, StartRequest } from './peer.ts';

const INSTALLED_BY_CARGO = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin', 'rumqttd');

/** rumqttd, a broker in Rust, with limits that no case of the bench reaches and no pause between connections. */
export const rumqttd: LivePeer = {
  name: 'rumqttd',
  transports: ['tcp'],
  problem: () =>
    existsSync(INSTALLED_BY_CARGO) || problemOfProgram('rumqttd') === undefined
      ? undefined
      : 'rumqttd is not installed: cargo install rumqttd',
  command(request) {
    const configFile = join(request.folder, 'rumqttd.toml');
    writeFileSync(configFile, configuration(request));
    return {
      program: existsSync(INSTALLED_BY_CARGO) ? INSTALLED_BY_CARGO : 'rumqttd',
      args: ['--config', configFile],
    };
  },
  wire: mqtt,
  mqtt,
};

/** Messages lie in memory, in segments for each filter: ten of them hold more than any case lets wait. */
function configuration({ address }: StartRequest): string {
  const port = address.transport === 'unix' ? 0 : address.port;
  return `
id = 0
[router]
id = 0
max_connections = 20100
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
[v4.1]
name = "bench"
listen = "127.0.0.1:${port}"
next_connection_delay_ms = 0
[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 1024
dynamic_filters = true
[console]
listen = "127.0.0.1:0"
`;
}
