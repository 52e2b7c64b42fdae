import { connect, type NetConnectOpts } from 'node:net';
import type { Network } from '../../pkg/client/address.ts';
import { parseAddress } from '../../pkg/client/address.ts';

/** CONNECT of MQTT 3.1.1 with a clean session and no client id, which every broker answers in some way. */
const MQTT_CONNECT = Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 10, 0, 0);
const MQTT_CONNACK = 0x20;
const PATIENCE_MS = 1_000;

/** What to say where a broker of MQTT ended the connection because it does not know our frames; else nothing. */
export async function hintOfMqtt(network: Network, address: string | undefined): Promise<string> {
  if (network !== 'tcp' && network !== 'unix') return '';
  const place = parseAddress(network, address ?? '');
  const isMqtt = await answersMqtt(
    place.network === 'unix' ? { path: place.path } : { host: place.host, port: place.port },
  );
  if (!isMqtt) return '';
  return '; an MQTT broker is there that does not speak the frames of tinymq: use mosquitto_pub and mosquitto_sub with it';
}

function answersMqtt(where: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where, () => socket.write(MQTT_CONNECT));
    const end = (isMqtt: boolean) => {
      socket.destroy();
      resolve(isMqtt);
    };
    socket.setTimeout(PATIENCE_MS, () => end(false));
    socket.once('data', (bytes) => end(bytes[0] === MQTT_CONNACK));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
