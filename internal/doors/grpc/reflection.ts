import { describeFile, symbolsOf } from '../../protocol/grpc/descriptor.ts';
import { healthFile } from '../../protocol/grpc/health.ts';
import { readMessage } from '../../protocol/grpc/read-message.ts';
import { reflectionV1, reflectionV1Alpha } from '../../protocol/grpc/reflection.ts';
import type { MessageOf, NewMessageOf, ProtoFile } from '../../protocol/grpc/schema.ts';
import { Status } from '../../protocol/grpc/status.ts';
import { encodeEnveloped } from '../../protocol/grpc/write-message.ts';
import { smqFile } from '../../protocol/smq/smq.ts';
import type { Call, CallHandler, OpenCall } from './call.ts';

type Reflection = typeof reflectionV1;
type Request = MessageOf<Reflection['request']>;
type Response = NewMessageOf<Reflection['response']>;

const FILES: readonly ProtoFile[] = [smqFile, healthFile, reflectionV1.file, reflectionV1Alpha.file];

/** ServerReflectionInfo of one of the two versions: an answer to each request. */
export function serverReflectionInfo(version: Reflection): OpenCall {
  return (call) => new ReflectionCall(call, version);
}

class ReflectionCall implements CallHandler {
  readonly #call: Call;
  readonly #version: Reflection;

  constructor(call: Call, version: Reflection) {
    this.#call = call;
    this.#version = version;
  }

  message(bytes: Uint8Array, start: number, end: number): void {
    const request = readMessage(this.#version.request, bytes, start, end);
    const answer = { validHost: request.host, originalRequest: request, ...answerTo(request) };
    // Answers are longer than requests: the next one is read when a client has taken this one.
    this.#call.pause();
    this.#call.write([encodeEnveloped(this.#version.response, answer)], () => this.#call.resume());
  }

  halfClosed(): void {
    this.#call.finish();
  }

  over(): void {}

  closing(): void {
    this.#call.finish();
  }
}

function answerTo(request: Request): Response {
  if (request.listServices !== undefined) {
    const names = FILES.flatMap(({ services }) => services.map(({ name }) => name)).sort();
    return { listServicesResponse: { service: names.map((name) => ({ name })) } };
  }
  if (request.fileByFilename !== undefined) {
    return fileAnswer((file) => file.path === request.fileByFilename, request.fileByFilename);
  }
  if (request.fileContainingSymbol !== undefined) {
    const symbol = request.fileContainingSymbol;
    return fileAnswer((file) => symbolsOf(file).includes(symbol), symbol);
  }
  if (request.allExtensionNumbersOfType !== undefined) {
    const baseTypeName = request.allExtensionNumbersOfType;
    const isKnown = FILES.some(({ messages }) => messages.some(({ name }) => name === baseTypeName));
    return isKnown
      ? { allExtensionNumbersResponse: { baseTypeName, extensionNumber: [] } }
      : errorAnswer(Status.NOT_FOUND, `no message ${baseTypeName}`);
  }
  if (request.fileContainingExtension !== undefined) {
    return errorAnswer(Status.NOT_FOUND, 'no message has extensions');
  }
  return errorAnswer(Status.INVALID_ARGUMENT, 'the request asks for nothing');
}

function fileAnswer(isWanted: (file: ProtoFile) => boolean, what: string): Response {
  const file = FILES.find(isWanted);
  if (file === undefined) return errorAnswer(Status.NOT_FOUND, `no file has ${what}`);
  return { fileDescriptorResponse: { fileDescriptorProto: [describeFile(file)] } };
}

function errorAnswer(errorCode: number, errorMessage: string): Response {
  return { errorResponse: { errorCode, errorMessage } };
}
