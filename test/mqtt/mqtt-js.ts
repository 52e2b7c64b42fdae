import { createRequire } from 'node:module';
import { join } from 'node:path';
import { installedOnce, mustRun } from '../support/installed-once.ts';

const PACKAGE = 'mqtt@5.14.1';

export interface MqttJsMessage {
  topic: string;
  text: string;
}

/** The little of MQTT.js that tests use. */
export interface MqttJsClient {
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'message', listener: (topic: string, payload: Uint8Array) => void): void;
  subscribeAsync(filter: string, options: { qos: 0 | 1 | 2 }): Promise<unknown>;
  publishAsync(topic: string, payload: string, options: { qos: 0 | 1 | 2 }): Promise<unknown>;
  endAsync(): Promise<void>;
}

export interface MqttJs {
  connectAsync(options: Record<string, unknown>): Promise<MqttJsClient>;
}

/** The folder in whose `node_modules` MQTT.js is. */
export function mqttJsFolder(): Promise<string> {
  return installedOnce('mqttjs', PACKAGE, async (into) => {
    await mustRun('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', into, PACKAGE]);
  });
}

/** MQTT.js, the client of most programs in JavaScript. */
export async function mqttJs(): Promise<MqttJs> {
  return createRequire(join(await mqttJsFolder(), 'index.js'))('mqtt') as MqttJs;
}
