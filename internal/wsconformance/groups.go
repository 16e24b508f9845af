package wsconformance

// groups returns all groups for an endpoint in that role.
func groups(o *Options, under role) []group {
	all := []group{
		{id: "1", title: "framing", cases: framing()},
		{id: "2", title: "pings and pongs", cases: pings()},
		{id: "3", title: "reserved bits", cases: reservedBits(o)},
		{id: "4", title: "reserved opcodes", cases: reservedOpcodes()},
		{id: "5", title: "fragmentation", cases: fragmentation()},
		{id: "6", title: "UTF-8", cases: unicode()},
		{id: "7", title: "closing", cases: closings()},
		{id: "9", title: "sizes and round trips", cases: sizes(o), parallel: 2},
		{id: "10", title: "automatic fragments", cases: automatic()},
		{id: "12", title: "compression: payloads", cases: compressedPayloads(o), parallel: 4},
		{id: "13", title: "compression: offers", cases: compressedOffers(o, under), parallel: 4},
		{id: "beyond", title: "lengths, masks, floods, deflate", cases: beyond(o, under)},
	}
	if o.Limit > 0 {
		all = append(all, group{id: "limits", title: "the limit of a message", cases: limits(o)})
	}
	handshake := group{id: "handshake", title: "opening handshake", cases: requests(o)}
	if under == client {
		handshake.cases = answers()
	}
	all = append(all, handshake)
	for i := range all {
		if all[i].parallel == 0 {
			all[i].parallel = defaultParallel
		}
	}
	return all
}

// defaultParallel is how many cases run at once, where they are small.
const defaultParallel = 8
