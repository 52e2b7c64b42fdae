import {
  type EnumType,
  type Field,
  type FieldType,
  field,
  type MessageType,
  message,
  type ProtoFile,
  protoName,
  repeated,
  type ServiceType,
} from './schema.ts';
import { encodeMessage } from './write-message.ts';

/** What reflection tells about our .proto files: the part of descriptor.proto that they need, filled from their tables. */

/** A file as the bytes of a FileDescriptorProto. */
export function describeFile(file: ProtoFile): Uint8Array {
  return encodeMessage(FileDescriptor, {
    name: file.path,
    package: file.packageName,
    messageType: file.messages.map((type) => describeMessage(type, file.nestedEnums?.[type.name] ?? [])),
    service: file.services.map(describeService),
    options: file.goPackage === undefined ? undefined : { goPackage: file.goPackage },
    syntax: 'proto3',
  });
}

/** Everything that a file defines, by its full name. */
export function symbolsOf(file: ProtoFile): string[] {
  const messages = file.messages.flatMap((type) => [
    type.name,
    ...Object.keys(type.fields).map((name) => `${type.name}.${protoName(name)}`),
    ...(file.nestedEnums?.[type.name] ?? []).map(({ name }) => name),
  ]);
  const services = file.services.flatMap((service) => [
    service.name,
    ...service.methods.map((method) => `${service.name}.${method.name}`),
  ]);
  return [...messages, ...services];
}

const EnumValueDescriptor = message('google.protobuf.EnumValueDescriptorProto', {
  name: field(1, 'string'),
  number: repeated(2, 'int32'),
});
const EnumDescriptor = message('google.protobuf.EnumDescriptorProto', {
  name: field(1, 'string'),
  value: repeated(2, EnumValueDescriptor),
});
const FieldDescriptor = message('google.protobuf.FieldDescriptorProto', {
  name: field(1, 'string'),
  number: field(3, 'int32'),
  label: field(4, 'int32'),
  type: field(5, 'int32'),
  typeName: field(6, 'string'),
  // The first oneof has the index 0, which has to be written; absent is none.
  oneofIndex: repeated(9, 'int32'),
  jsonName: field(10, 'string'),
});
const OneofDescriptor = message('google.protobuf.OneofDescriptorProto', { name: field(1, 'string') });
const Descriptor = message('google.protobuf.DescriptorProto', {
  name: field(1, 'string'),
  field: repeated(2, FieldDescriptor),
  enumType: repeated(4, EnumDescriptor),
  oneofDecl: repeated(8, OneofDescriptor),
});
const MethodDescriptor = message('google.protobuf.MethodDescriptorProto', {
  name: field(1, 'string'),
  inputType: field(2, 'string'),
  outputType: field(3, 'string'),
  clientStreaming: field(5, 'bool'),
  serverStreaming: field(6, 'bool'),
});
const ServiceDescriptor = message('google.protobuf.ServiceDescriptorProto', {
  name: field(1, 'string'),
  method: repeated(2, MethodDescriptor),
});
const FileOptions = message('google.protobuf.FileOptions', { goPackage: field(11, 'string') });
/** The descriptor of a file; tests read it back with the same table. */
export const FileDescriptor = message('google.protobuf.FileDescriptorProto', {
  name: field(1, 'string'),
  package: field(2, 'string'),
  messageType: repeated(4, Descriptor),
  service: repeated(6, ServiceDescriptor),
  options: field(8, FileOptions),
  syntax: field(12, 'string'),
});

const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;
const SCALARS = {
  ...{ string: 9, bytes: 12, int32: 5, int64: 3, bool: 8 },
  ...{ double: 1, fixed64: 6, fixed32: 7 },
} as const;
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;

function describeMessage(type: MessageType, enums: readonly EnumType[]) {
  const fields = Object.entries(type.fields);
  const oneofs = [...new Set(fields.flatMap(([, { oneof }]) => oneof ?? []))];
  return {
    name: lastPart(type.name),
    field: fields.map(([name, found]) => describeField(name, found, oneofs)),
    enumType: enums.map(describeEnum),
    oneofDecl: oneofs.map((name) => ({ name })),
  };
}

function describeField(name: string, found: Field, oneofs: readonly string[]) {
  return {
    name: protoName(name),
    number: found.number,
    label: found.isRepeated ? LABEL_REPEATED : LABEL_OPTIONAL,
    type: typeNumber(found.type),
    typeName: typeof found.type === 'object' ? `.${found.type.name}` : '',
    oneofIndex: found.oneof === undefined ? [] : [oneofs.indexOf(found.oneof)],
    jsonName: name,
  };
}

function describeEnum(type: EnumType) {
  const value = Object.entries(type.values).map(([name, number]) => ({ name, number: [number] }));
  return { name: lastPart(type.name), value };
}

function describeService(service: ServiceType) {
  return {
    name: lastPart(service.name),
    method: service.methods.map((method) => ({
      name: method.name,
      inputType: `.${method.request.name}`,
      outputType: `.${method.response.name}`,
      clientStreaming: method.clientStreams ?? false,
      serverStreaming: method.serverStreams ?? false,
    })),
  };
}

function typeNumber(type: FieldType): number {
  if (typeof type === 'string') return SCALARS[type];
  return type.kind === 'message' ? TYPE_MESSAGE : TYPE_ENUM;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
