import { Failure } from '../../lib/failure.ts';
import { printableText } from '../../lib/printable.ts';
import { Status } from '../../protocol/grpc/status.ts';

/** The server said no; the message is what it said, with the name of the status. */
export class SmqRefusal extends Failure {
  readonly status: number;
  /** The server's own words. */
  readonly text: string;

  constructor(status: number, text: string) {
    const advice = ADVICE[status] === undefined ? '' : ` (${ADVICE[status]})`;
    super(`${nameOf(status)}: ${printableText(text) || 'the server says no more'}${advice}`);
    this.status = status;
    this.text = text;
  }

  /** SMQ has no status of its own for this; the words are all there is. */
  get isAboutEmptyTopic(): boolean {
    return this.status === Status.UNKNOWN && this.text === 'topic is empty';
  }
}

/** A call that ended with another status than OK. */
export function refusalOf(status: number, text: string): SmqRefusal {
  return new SmqRefusal(status, text);
}

/** What to do about the statuses that people meet. */
const ADVICE: Record<number, string | undefined> = {
  [Status.PERMISSION_DENIED]: 'this client may not do that with the topic',
  [Status.UNIMPLEMENTED]: 'is this a server of SMQ?',
};

/** Statuses of the specification that the broker itself never answers with. */
const OTHERS: Record<number, string | undefined> = { 6: 'ALREADY_EXISTS', 10: 'ABORTED', 11: 'OUT_OF_RANGE' };

function nameOf(status: number): string {
  const known = Object.entries(Status).find(([, number]) => number === status);
  return known?.[0] ?? OTHERS[status] ?? `gRPC status ${status}`;
}
