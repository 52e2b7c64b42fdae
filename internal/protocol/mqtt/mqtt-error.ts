import { ReasonCode, type ReasonName } from './reason-codes.ts';

/** Bytes that break the rules of MQTT. The message says which rule and where, without secrets. */
export class MqttError extends Error {
  override readonly name = 'MqttError';
  /** What a DISCONNECT or CONNACK of version 5 says about it. */
  readonly reasonCode: number;

  constructor(reason: ReasonName, message: string) {
    super(message);
    this.reasonCode = ReasonCode[reason];
  }
}
