/** Limits and defaults of the MQTT door, each with its unit in its name and the reason for its value. */

import { KiB } from './units.ts';

/** Filters of one SUBSCRIBE of MQTT: they are taken in one turn too, and the next packet waits for the others. */
export const maxFiltersPerSubscribe = 16_384;
/** Unanswered QoS 1 and 2 messages of one client before it is read no further: enough to keep a disk busy. */
export const mqttReceiveMaximum = 1_024;
/**
 * How long a client that has more than that of QoS 2 open may neither send nor release one: longer than an answer takes on
 * a slow network.
 */
export const mqttReleasePatienceMs = 1_000;
/** Unacknowledged messages to a client older than version 5, which cannot say how many it takes. */
export const mqttOldClientWindow = 1_024;
/** Topic aliases of one client in each direction: the topics that one device or program uses. */
export const mqttTopicAliases = 256;
/** What an MQTT packet may have beside the payload: topic, properties. */
export const mqttPacketSlackBytes = 256 * KiB;
