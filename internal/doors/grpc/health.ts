import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthService,
  ServingStatus,
} from '../../protocol/grpc/health.ts';
import { readMessage } from '../../protocol/grpc/read-message.ts';
import { reflectionV1, reflectionV1Alpha } from '../../protocol/grpc/reflection.ts';
import { GrpcError, Status } from '../../protocol/grpc/status.ts';
import { encodeEnveloped } from '../../protocol/grpc/write-message.ts';
import { SuhaibMessageQueue } from '../../protocol/smq/smq.ts';
import type { Call, OpenCall } from './call.ts';
import type { DoorContext } from './context.ts';
import { SHUTTING_DOWN } from './errors.ts';
import { OneRequest, unary } from './one-request.ts';

/** The services whose health can be asked for; the empty name is the server. */
const SERVICES = new Set([
  '',
  SuhaibMessageQueue.name,
  HealthService.name,
  reflectionV1.service.name,
  reflectionV1Alpha.service.name,
]);

/** The longest time until watchers are told of a change. */
const LOOK_EVERY_MS = 1_000;

/** The standard health service. The door serves as long as the broker can, and not any more once it closes. */
export class GrpcHealth {
  readonly methods: Record<'Check' | 'Watch', OpenCall>;
  readonly #context: DoorContext;
  readonly #watches = new Set<Watch>();
  readonly #timer: NodeJS.Timeout;
  #isClosing = false;

  constructor(context: DoorContext) {
    this.#context = context;
    this.methods = {
      Check: unary(HealthCheckRequest, HealthCheckResponse, ({ service }) => {
        if (!SERVICES.has(service)) throw new GrpcError(Status.NOT_FOUND, `unknown service ${service}`);
        return { status: this.#status() };
      }),
      Watch: (call) => new Watch(call, this.#watches, (service) => this.#watchedStatus(service)),
    };
    this.#timer = setInterval(() => this.#tell(), LOOK_EVERY_MS).unref();
  }

  /** Tells those who watch that the server stops serving. */
  close(): void {
    clearInterval(this.#timer);
    this.#isClosing = true;
    this.#tell();
  }

  #tell(): void {
    for (const watch of this.#watches) watch.tell();
  }

  #status(): number {
    const isServing = !this.#isClosing && this.#context.isServing();
    return isServing ? ServingStatus.values.SERVING : ServingStatus.values.NOT_SERVING;
  }

  #watchedStatus(service: string): number {
    return SERVICES.has(service) ? this.#status() : ServingStatus.values.SERVICE_UNKNOWN;
  }
}

/** One Watch: the status, and each change of it. */
class Watch extends OneRequest {
  readonly #watches: Set<Watch>;
  readonly #statusOf: (service: string) => number;
  #service = '';
  #told: number | undefined;

  constructor(call: Call, watches: Set<Watch>, statusOf: (service: string) => number) {
    super(call);
    this.#watches = watches;
    this.#statusOf = statusOf;
  }

  tell(): void {
    const status = this.#statusOf(this.#service);
    if (status === this.#told) return;
    this.#told = status;
    this.call.write([encodeEnveloped(HealthCheckResponse, { status })], () => {});
  }

  override over(): void {
    this.#watches.delete(this);
  }

  override closing(): void {
    this.call.fail(new GrpcError(Status.UNAVAILABLE, SHUTTING_DOWN));
  }

  protected override request(bytes: Uint8Array, start: number, end: number): void {
    this.#service = readMessage(HealthCheckRequest, bytes, start, end).service;
    this.#watches.add(this);
    this.tell();
  }
}
