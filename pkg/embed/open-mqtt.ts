import type { Broker, Logger } from '../../internal/broker/broker.ts';
import { Sessions } from '../../internal/broker/sessions.ts';
import { MqttDoor, type MqttSettings } from '../../internal/doors/mqtt/door.ts';
import { SysTopics } from '../../internal/doors/mqtt/sys-topics.ts';
import * as limits from '../../internal/limits.ts';
import type { Metrics } from '../../internal/metrics/metrics.ts';

/** How MQTT is served. */
export interface MqttOptions {
  /** Messages that wait in one session, while its client is away or takes no more. Default: 100,000. */
  sessionQueue?: number;
  /** Bytes of such messages. Default: 64 MiB. */
  sessionQueueBytes?: number;
  /** How often the topics under `$SYS` are published. Default: 10,000; 0: never. */
  sysIntervalMs?: number;
  /** The version that `$SYS/broker/version` tells. */
  version?: string;
}

export interface OpenMqtt {
  door: MqttDoor;
  close(): void;
}

/** Opens the door of MQTT, with the sessions of its clients. */
export function openMqtt(
  options: MqttOptions & { slowConsumerWaitMs?: number },
  broker: Broker,
  settings: MqttSettings,
  metrics: Metrics,
  log: Logger,
): OpenMqtt {
  const sessions = new Sessions({
    broker,
    metrics,
    log,
    limits: {
      queueMessages: options.sessionQueue ?? limits.sessionQueueMessages,
      queueBytes: options.sessionQueueBytes ?? limits.sessionQueueBytes,
    },
    slowConsumerWaitMs: options.slowConsumerWaitMs ?? limits.slowConsumerWaitMs,
  });
  const door = new MqttDoor(broker, sessions, settings, metrics, log);
  const everyMs = options.sysIntervalMs ?? limits.sysTopicsEveryMs;
  const version = `tinymq version ${options.version ?? 'unknown'}`;
  const sys = everyMs > 0 ? new SysTopics({ broker, sessions, metrics, version, everyMs }) : undefined;

  function close(): void {
    sys?.close();
    sessions.close();
  }

  return { door, close };
}
