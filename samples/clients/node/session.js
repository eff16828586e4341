'use strict';
// A whole camera session from Node.js: previews and gyroscope in, guidance out; at READY the
// shots, each with its verdict. One JSON line for everything the server says.
//
//   npm install && node session.js [host:port] [folder of samples/demo]

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const REPOSITORY = path.resolve(__dirname, '../../..');
const target = process.argv[2] ?? 'localhost:50051';
const folder = process.argv[3] ?? path.join(REPOSITORY, 'samples/demo');

const definition = loader.loadSync('capture/v1/smart_capture.proto', {
  includeDirs: [path.join(REPOSITORY, 'proto')],
  keepCase: true, // field names as in the .proto
  longs: Number,
  enums: String,
  oneofs: true,
});
const { SmartCapture } = grpc.loadPackageDefinition(definition).capture.v1;

/** Rows of a CSV file as objects. */
function readCsv(file) {
  const [header, ...rows] = fs.readFileSync(file, 'utf8').trim().split('\n');
  const names = header.split(',');
  return rows.map((row) =>
    Object.fromEntries(row.split(',').map((value, column) => [names[column], value])),
  );
}

/** Leave out the marks with which proto-loader says that an optional field is set. */
function withoutMarks(key, value) {
  return key.startsWith('_') ? undefined : value;
}

/** Write a request; wait while the connection is full. */
async function send(call, request) {
  if (!call.write(request)) {
    await new Promise((resolve) => call.once('drain', resolve));
  }
}

/** Play the burst at its own pace until `isReady` says so. */
async function play(call, isReady) {
  const burst = path.join(folder, 'burst');
  const frames = readCsv(path.join(burst, 'timestamps.csv'));
  const gyro = readCsv(path.join(burst, 'gyro.csv')).map((row) => ({
    captured_at_ms: Number(row.timestamp_ms),
    x_rad_s: Number(row.x_rad_s),
    y_rad_s: Number(row.y_rad_s),
    z_rad_s: Number(row.z_rad_s),
  }));
  const started = performance.now();
  for (const [index, frame] of frames.entries()) {
    const captured_at_ms = Number(frame.captured_at_ms);
    await sleep(Math.max(0, started + captured_at_ms - performance.now()));
    if (isReady()) return;
    const after = gyro.findIndex((sample) => sample.captured_at_ms > captured_at_ms);
    const samples = gyro.splice(0, after < 0 ? gyro.length : after);
    await send(call, { motion: { samples } });
    const data = fs.readFileSync(path.join(burst, frame.file));
    await send(call, { preview: { id: index + 1, captured_at_ms, image: { data } } });
  }
}

async function main() {
  const client = new SmartCapture(target, grpc.credentials.createInsecure(), {
    'grpc.max_send_message_length': 33 << 20,
  });
  const call = client.Capture();
  const camera = JSON.parse(fs.readFileSync(path.join(folder, 'camera.json'), 'utf8'));
  const { profile, stills } = JSON.parse(
    fs.readFileSync(path.join(folder, 'expected.json'), 'utf8'),
  );

  let ready = false;
  let unanswered = stills.length;
  call.on('data', (response) => {
    const said = response[response.message];
    console.log(JSON.stringify({ [response.message]: said }, withoutMarks));
    if (response.message === 'stability' && said.ready) ready = true;
    if (response.message === 'still' && --unanswered === 0) call.end();
  });
  const ended = new Promise((resolve, reject) => {
    call.on('end', resolve);
    call.on('error', reject);
  });

  await send(call, { config: { profile, ...camera } });
  await Promise.race([play(call, () => ready), ended]);
  for (const [index, still] of stills.entries()) {
    const data = fs.readFileSync(path.join(folder, still.file));
    await send(call, { still: { id: index + 1, image: { data } } });
  }
  await ended;
  client.close();
  return ready ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(`session.js: ${error.message}`);
    process.exitCode = 2;
  },
);
