import type { Access } from '../../access/access.ts';
import { isRefusal, type SaslExchange, userToTell } from '../../access/authenticator.ts';
import type { Peer } from '../../access/identity.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { type Auth, PacketType } from '../../protocol/mqtt/packet.ts';
import type { Properties } from '../../protocol/mqtt/properties.ts';
import { ReasonCode } from '../../protocol/mqtt/reason-codes.ts';
import type { Admission } from '../clients/admission.ts';

/** What follows a step of a client. */
export interface AuthOutcome {
  /** The method, with what the client needs for its next step, or with the broker's own proof. */
  readonly properties: Properties;
  /** What the client may do, where it has proved who it is. */
  readonly access: Access | undefined;
}

/**
 * How a client proves who it is by AUTH (MQTT 5, section 4.12): before CONNACK, and again whenever it likes. The method is one
 * of the SASL mechanisms of the broker, and stays the same as long as the connection [MQTT-4.12.0-5] [MQTT-4.12.1-1].
 */
export class EnhancedAuthentication {
  readonly #method: string;
  readonly #admission: Admission;
  readonly #peer: Peer;
  /** The exchange that is under way. */
  #exchange: SaslExchange | undefined;
  #isStepTaken = false;

  /** @throws BrokerError `unknown-authentication` [MQTT-4.12.0-1]. */
  constructor(method: string, admission: Admission, peer: Peer) {
    const { mechanisms } = admission;
    if (!mechanisms.includes(method)) {
      const served = mechanisms.join(', ');
      throw new BrokerError('unknown-authentication', `${quoted(method)}; these are served: ${served}`);
    }
    this.#method = method;
    this.#admission = admission;
    this.#peer = peer;
  }

  /**
   * Begins with what a CONNECT brought.
   *
   * @returns what follows; it rejects as {@link take} does.
   */
  begin({ authenticationData }: Properties): Promise<AuthOutcome> {
    this.#exchange = this.#admission.beginExchange(this.#peer, this.#method);
    return this.#step(authenticationData);
  }

  /**
   * Goes on with an AUTH, or begins anew with one.
   *
   * @param isConnected whether the client has its CONNACK, and may authenticate again.
   * @returns what follows; it rejects with a BrokerError where the client is refused.
   * @throws BrokerError `protocol-error` where the packet has no place there.
   */
  take({ reasonCode, properties }: Auth, isConnected: boolean): Promise<AuthOutcome> {
    const { authenticationMethod, authenticationData } = properties;
    if (authenticationMethod === undefined) throw protocolError('it has no authentication method');
    if (authenticationMethod !== this.#method) {
      throw protocolError(`its method is ${quoted(authenticationMethod)}, and was ${this.#method} before`);
    }
    if (this.#isStepTaken) throw protocolError('the one before it is not answered yet');
    if (reasonCode === ReasonCode.reAuthenticate && isConnected) {
      if (this.#exchange !== undefined) throw protocolError('authentication is under way already');
      return this.begin(properties);
    }
    if (reasonCode !== ReasonCode.continueAuthentication || this.#exchange === undefined) {
      throw protocolError(`reason code ${reasonCode} has no place here`);
    }
    return this.#step(authenticationData);
  }

  /** A client may leave its first message for later; it is then asked for that. */
  async #step(data: Uint8Array | undefined): Promise<AuthOutcome> {
    const method = { authenticationMethod: this.#method };
    if (data === undefined) return { properties: method, access: undefined };
    this.#isStepTaken = true;
    const step = await this.#exchange!.step(data);
    this.#isStepTaken = false;
    if (isRefusal(step)) {
      this.#exchange = undefined;
      const { code = 'bad-credentials', reason, cause } = step;
      throw new BrokerError(code, reason, { user: userToTell(step), cause });
    }
    const properties = step.bytes.length > 0 ? { ...method, authenticationData: step.bytes } : method;
    if (step.kind === 'challenge') return { properties, access: undefined };
    this.#exchange = undefined;
    return { properties, access: this.#admission.accessOf(step.identity) };
  }
}

/** The AUTH that asks a client for its next step, or tells it that it has authenticated again. */
export function authPacket({ properties, access }: AuthOutcome): Auth {
  const reasonCode = access === undefined ? ReasonCode.continueAuthentication : ReasonCode.success;
  return { type: PacketType.auth, reasonCode, properties };
}

function protocolError(problem: string): BrokerError {
  return new BrokerError('protocol-error', `AUTH: ${problem}`);
}
