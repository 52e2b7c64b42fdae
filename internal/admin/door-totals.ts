import { addFacts, type Connections, type DoorTotals } from '../observe/connections.ts';
import { eachInSlices } from './slices.ts';

/** A door with what went through it since the start. */
export interface DoorFacts {
  readonly name: string;
  readonly connections: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Of Kafka and HTTP requests, of gRPC calls. */
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What went through each door since the start, by its open connections too. */
export async function doorTotals(connections: Connections): Promise<DoorFacts[]> {
  const totals = new Map<string, DoorTotals>();
  for (const door of connections.doors) totals.set(door, { ...connections.totalsBefore(door) });
  await eachInSlices(connections, (connection) => {
    const sum = totals.get(connection.door);
    if (sum !== undefined) addFacts(sum, connection.facts());
  });
  for (const [door, sum] of totals) connections.measured(door, sum);
  return Array.from(totals, ([name, { received, sent, requests, receivedBytes, sentBytes }]) => ({
    ...{ name, connections: connections.countOf(name), messagesIn: received, messagesOut: sent },
    ...{ requests, bytesIn: receivedBytes, bytesOut: sentBytes },
  }));
}
