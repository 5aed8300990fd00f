import { testChannel } from '../../suites/channel.suite.ts';
import { connectLinks } from '../../transports/connect.ts';

testChannel(
  'WebRTC of the browser',
  async () => {
    const [alice, bob] = await connectLinks();
    return { alice, bob };
  },
  false,
);
