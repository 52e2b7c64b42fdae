import { onTestFinished } from 'vitest';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { urlOf } from './listeners.ts';

/** A broker in this process with an HTTP door. */
export interface HttpBroker {
  broker: RunningBroker;
  /** Where its own clients connect. */
  frames: string;
  /** The base of its HTTP URLs, without a slash at its end. */
  http: string;
}

export async function startHttp(options: BrokerOptions = {}): Promise<HttpBroker> {
  const broker = await startBroker({
    listen: ['tcp://127.0.0.1:0'],
    memory: true,
    ...options,
    http: { listen: ['http://127.0.0.1:0'], ...options.http },
  });
  onTestFinished(() => broker.close());
  return { broker, frames: urlOf(broker, 'frames'), http: urlOf(broker, 'http') };
}

/** Publishes by HTTP. */
export function post(
  http: string,
  topic: string,
  body: NonNullable<RequestInit['body']>,
  init: RequestInit = {},
): Promise<Response> {
  return fetch(`${http}/topics/${topic}`, { method: 'POST', body, ...init });
}

/** The JSON of an answer, which has to be a good one. */
export async function getJson<T = unknown>(url: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
}
