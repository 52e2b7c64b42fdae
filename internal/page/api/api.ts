/** A refusal of the broker, as docs/errors.md explains it. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string;

  constructor(status: number, code: string, detail: string, remedy = '') {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.remedy = remedy;
  }
}

/** What a request asks for, beside its path. */
export interface Asked {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  query?: Readonly<Record<string, Value | readonly Value[]>>;
  /** Sent as JSON. */
  json?: object;
  /** Sent as it is. */
  bytes?: Uint8Array<ArrayBuffer>;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

type Value = string | number | boolean | undefined;

const listeners = new Set<() => void>();

/** Calls back whenever the broker wants to know who asks. Returns what ends that. */
export function onLoginNeeded(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** The JSON that the broker answers. @throws Problem. */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await send(path, { ...asked, headers: { accept: 'application/json', ...asked.headers } });
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Lines of JSON. @throws Problem. */
export async function askLines<T>(path: string, asked: Asked = {}): Promise<T[]> {
  const response = await send(path, asked);
  const lines = (await response.text()).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

/** @throws Problem. */
export async function send(path: string, { method = 'GET', query, json, bytes, headers, signal }: Asked) {
  const body = json === undefined ? bytes : JSON.stringify(json);
  const type = json === undefined ? undefined : { 'content-type': 'application/json' };
  const response = await fetched(urlOf(path, query), {
    method,
    body,
    headers: { ...type, ...headers },
    signal,
  });
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401) for (const listener of listeners) listener();
  throw problem;
}

/** The URL of an operation, beside the page itself. */
export function urlOf(path: string, query: Asked['query'] = {}): string {
  const url = new URL(path, document.baseURI);
  url.hash = '';
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) {
      if (each !== undefined && each !== '' && each !== false) url.searchParams.append(name, String(each));
    }
  }
  return url.href;
}

/** A topic or a filter as the path of its messages. Its slashes are escaped: `a/../b` would become `b` otherwise. */
export function topicPath(topic: string): string {
  return `topics/${encodeURIComponent(topic)}`;
}

async function fetched(url: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...options, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(
      0,
      'unreachable',
      'The broker does not answer.',
      'Is it running? The page tries again by itself.',
    );
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const { status, statusText } = response;
  try {
    const { code = '', detail, message, title, remedy } = await response.json();
    return new Problem(status, code, detail || message || title || statusText, remedy);
  } catch {
    return new Problem(status, '', `The broker answered ${status} ${statusText}.`);
  }
}
