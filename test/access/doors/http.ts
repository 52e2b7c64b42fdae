import { Agent, type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { eventually } from '../../support/eventually.ts';
import type { AccessDoor, DoorSession, Login, Names, Places } from './door.ts';
import { Refused } from './door.ts';
import { authorizationOf } from './grpc.ts';

const DENIED = '403 not-authorized';
const NOTHING_SHOWN = '401 not-authorized';
const BAD_LOGIN = '401 bad-credentials';

const refusals = { refused: [DENIED], refusedToAnonymous: [NOTHING_SHOWN] } as const;
const following = {
  ...{ effect: 'shows' as const, granted: '200', ...refusals },
  ends: 'problem not-authorized',
} as const;

/** What the actions ask for, by their names. */
const REQUESTS: Record<string, (names: Names) => string> = {
  publish: ({ topic }) => `POST /topics/${topic}`,
  'publish with an answer': ({ topic }) => `POST /topics/${topic}?qos=1`,
  retain: ({ topic }) => `POST /topics/${topic}?retain&qos=1`,
  'clear what is retained': ({ topic }) => `POST /topics/${topic}?retain&qos=1`,
  'read what is retained': ({ topic }) => `GET /topics/${topic}`,
  'read all that is retained': ({ topic }) => `GET /topics/${parentOf(topic)}/%23`,
  'read a log': ({ topic }) => `GET /topics/${topic}?from=earliest`,
  'read logs': ({ topic }) => `GET /topics/${parentOf(topic)}/%23?from=earliest`,
  follow: ({ topic }) => `GET /topics/${topic}?follow`,
  'follow a filter': ({ topic }) => `GET /topics/${parentOf(topic)}/%23?follow`,
  'follow a log': ({ topic }) => `GET /topics/${topic}?follow&from=earliest`,
  'follow in a group': ({ topic, group }) => `GET /topics/$share/${group}/${topic}?follow`,
  'look at the metrics': () => 'GET /metrics',
};

const parentOf = (topic: string) => topic.slice(0, topic.lastIndexOf('/'));

/** HTTP: each request says who sends it. */
export const http: AccessDoor = {
  name: 'HTTP',
  words: {
    badLogin: BAD_LOGIN,
    nothingShown: NOTHING_SHOWN,
    mayNotConnect: DENIED,
    thrownOut: undefined,
    expired: undefined,
    afterwards: { thrownOut: DENIED, expired: BAD_LOGIN },
  },
  following: 'follow',
  actions: [
    { name: 'publish', effect: 'changes', granted: '202', ...refusals },
    { name: 'publish with an answer', effect: 'changes', granted: '204', ...refusals },
    { name: 'retain', effect: 'changes', granted: '204', ...refusals },
    { name: 'clear what is retained', effect: 'changes', granted: '204', ...refusals },
    { name: 'read what is retained', effect: 'shows', granted: '200', ...refusals },
    { name: 'read all that is retained', effect: 'shows', granted: '200', ...refusals },
    { name: 'read a log', effect: 'shows', granted: '200', ...refusals },
    { name: 'read logs', effect: 'shows', granted: '200', ...refusals },
    { name: 'follow', ...following },
    { name: 'follow a filter', ...following },
    { name: 'follow a log', ...following },
    { name: 'follow in a group', ...following, effect: 'brings' },
    { name: 'look at the metrics', effect: 'none', granted: '200', ...refusals },
  ],
  async open(places, login) {
    const session = new HttpSession(places, login);
    // Whoever may connect is told that there is no such message, as this asks for nothing that rules are about.
    const told = await session.ask('POST /topics/%24SYS%2Fnothing');
    if (/^40[13] /.test(told) && !told.endsWith(' reserved-topic')) throw new Refused(told);
    return session;
  },
};

class HttpSession implements DoorSession {
  received = '';
  readonly #base: string;
  readonly #login: Login;
  readonly #answers: IncomingMessage[] = [];
  #events = '';
  /** For what is sent one behind the other. */
  readonly #sender = new Agent({ keepAlive: true, maxSockets: 1 });
  #sent: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ plain, secured }: Places, login: Login) {
    this.#login = login;
    this.#base = (login.certificate === undefined ? plain : secured).http!;
  }

  perform(action: string, names: Names): Promise<string> {
    return this.ask(REQUESTS[action]!(names), action.startsWith('clear') ? '' : 'x');
  }

  follow(names: Names): Promise<string> {
    return this.perform('follow', names);
  }

  send(names: Names, text: string): void {
    this.#sent = this.#sent.then(async () => {
      if (this.#isClosed) return;
      await this.ask(REQUESTS['publish with an answer']!(names), text, this.#sender);
    });
  }

  async settle(): Promise<void> {
    await this.ask('GET /livez');
  }

  async end(): Promise<string> {
    const problem = () => /event: problem\ndata: (.*)\n/.exec(this.#events)?.[1];
    const data = await eventually(problem, 'the last event of the stream');
    return `problem ${(JSON.parse(data) as { code: string }).code}`;
  }

  close(): void {
    this.#isClosed = true;
    this.#sender.destroy();
    for (const answer of this.#answers) answer.destroy();
  }

  /** The status of the answer, with the code of the problem where it is one. */
  async ask(line: string, body = '', agent: Agent | false = false): Promise<string> {
    const [method, path] = line.split(' ') as [string, string];
    const answer = await this.#send(method, path, method === 'POST' ? body : undefined, agent);
    this.#answers.push(answer);
    let text = '';
    answer.setEncoding('latin1').on('data', (chunk: string) => {
      this.received += chunk;
      text += chunk;
    });
    if (answer.headers['content-type']?.startsWith('text/event-stream') === true) {
      answer.on('data', (chunk: string) => (this.#events += chunk));
    } else {
      await new Promise((resolve) => answer.once('end', resolve));
    }
    const { statusCode } = answer;
    if (statusCode! < 400) return String(statusCode);
    return `${statusCode} ${(JSON.parse(text) as { code: string }).code}`;
  }

  #send(
    method: string,
    path: string,
    body: string | undefined,
    agent: Agent | false,
  ): Promise<IncomingMessage> {
    const options: RequestOptions = { method, headers: authorizationOf(this.#login), agent };
    return new Promise((resolve, reject) => {
      const sent =
        this.#login.certificate === undefined
          ? requestPlain(`${this.#base}${path}`, options, resolve)
          : requestSecurely(`${this.#base}${path}`, { ...options, ...this.#login.certificate }, resolve);
      sent.on('error', reject).end(body);
    });
  }
}
