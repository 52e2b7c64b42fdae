import type { ConnectionOptions } from 'node:tls';

/** What a client shows of who it is. */
export interface Login {
  user?: string;
  password?: string;
  token?: string;
  /** Connects by TLS with this certificate. */
  certificate?: Required<Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>>;
}

/** Where the doors of a broker are, by name: with TLS, or without. */
export interface Places {
  plain: Readonly<Record<string, string>>;
  secured: Readonly<Record<string, string>>;
}

/** What an action is about. */
export interface Names {
  /** A topic with a retained message and a log, both of which hold `treasure`. */
  topic: string;
  log: string;
  /** A topic that has neither. */
  fresh: string;
  freshLog: string;
  /** A group that has committed an offset of the log. */
  group: string;
  treasure: string;
}

/** A protocol, as far as the matrix of the doors that ask has to know it. */
export interface AccessDoor {
  readonly name: string;
  readonly words: DoorWords;
  readonly actions: readonly DoorAction[];
  /** The name of the action that {@link DoorSession.follow} is. */
  readonly following: string;
  /** Lets a client in. @throws Refused in the words of the protocol. */
  open(places: Places, login: Login): Promise<DoorSession>;
}

/** What this protocol has to say to a client that may not be there. */
export interface DoorWords {
  /** Its credentials are wrong, or over. */
  badLogin: string;
  /** It has shown nothing, and anonymous clients are not let in. */
  nothingShown: string;
  /** Its credentials are right, and it may not connect. */
  mayNotConnect: string;
  /** The same for a client that shows a certificate only; by default in the same words. */
  certificateMayNotConnect?: string;
  /** It may no longer be connected; undefined where it is told with its next request. */
  thrownOut: string | undefined;
  /** Its credentials have ended; undefined where it is told with its next request. */
  expired: string | undefined;
  /** What its next request is answered with, or the end of the connection, once either has happened. */
  afterwards: { thrownOut: string; expired: string };
}

/** Something that clients of a door can do. */
export interface DoorAction {
  readonly name: string;
  /**
   * Whether it `changes` the state of the broker, `shows` what the broker has, `brings` what comes later, or nothing of this
   * in a way that could be seen.
   */
  readonly effect: 'changes' | 'shows' | 'brings' | 'none';
  /** The answers where it is allowed; undefined: anything that is no refusal. */
  readonly granted: string | undefined;
  readonly refused: readonly string[];
  /** The answers to a client that has shown nothing, where they are others. */
  readonly refusedToAnonymous?: readonly string[];
  /** How what it began is ended when it is no longer allowed; undefined where it begins nothing that stands. */
  readonly ends?: string;
}

/** A client that was let in. */
export interface DoorSession {
  /** Everything that came, as Latin-1, so that whatever is looked for is found. */
  readonly received: string;
  /** Does one of the actions; what the client is told, in the words of the protocol. */
  perform(action: string, names: Names): Promise<string>;
  /** Begins to read all that comes to the topic from now on, and perhaps what was there; what the client is told. */
  follow(names: Names): Promise<string>;
  /** Sends a message to the topic; one behind the other, none is waited for. */
  send(names: Names, text: string): void;
  /** Waits until everything that was on its way has come, where the connection still stands. */
  settle(): Promise<void>;
  /** What the client is told next without having asked: how a subscription or the connection ended. */
  end(): Promise<string>;
  close(): void;
}

/** A client was not let in. */
export class Refused extends Error {}
