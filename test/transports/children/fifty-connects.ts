/** Connects fifty times in a row, closes each in order, and must then end by itself. */
import { connectLinks } from '../connect.ts';
import { listen } from '../../suites/channel.suite.ts';

let received = 0;
for (let round = 0; round < 50; round++) {
  const [alice, bob] = await connectLinks();
  const atBob = listen(bob);
  alice.send('hello');
  await alice.close();
  await atBob.closed;
  received += atBob.frames.length;
}
process.stdout.write(`received ${received}`);
