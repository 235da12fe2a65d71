"""Words from registries outside STIX that STIX 2.1 requires: languages, character sets."""

import re

_LANGUAGE_TAG = re.compile(  # RFC 5646 §2.1, in lower case
    r"(?P<language>[a-z]{2,3})(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_PRIVATE_LANGUAGE = re.compile(r"q[a-t][a-z]")
_TAG_CHARS_MAX = 100


def is_language(tag: object) -> bool:
    """Whether `tag` is an RFC 5646 language tag, or an ISO 639-2 code, whose language is registered."""
    if not isinstance(tag, str) or len(tag) > _TAG_CHARS_MAX:
        return False
    match = _LANGUAGE_TAG.fullmatch(tag.lower())
    return match is not None and (match["language"] in _LANGUAGES or _PRIVATE_LANGUAGE.fullmatch(match["language"]) is not None)


def is_character_set(name: str) -> bool:
    """Whether `name` is the preferred MIME name, or where there is none the name, of a character set of the IANA registry."""
    return name in _CHARACTER_SETS


# ISO 639-1, ISO 639-2, and those of ISO 639-3 that are met on their own rather than by the language that includes them.
_LANGUAGES = frozenset(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et eu fa ff
    fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku
    kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu
    rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi
    vo wa wo xh yi yo za zh zu
    aar abk ace ach ada ady afa afh afr ain aka akk alb ale alg alt amh ang anp apa ara arc arg arm arn arp art arw asm ast ath aus ava
    ave awa aym aze bad bai bak bal bam ban baq bas bat bej bel bem ben ber bho bih bik bin bis bla bnt bod bos bra bre btk bua bug bul
    bur byn cad cai car cat cau ceb cel ces cha chb che chg chi chk chm chn cho chp chr chu chv chy cmc cop cor cos cpe cpf cpp cre crh
    crp csb cus cym cze dak dan dar day del den deu dgr din div doi dra dsb dua dum dut dyu dzo efi egy eka ell elx eng enm epo est eus
    ewe ewo fan fao fas fat fij fil fin fiu fon fra fre frm fro frr frs fry ful fur gaa gay gba gem geo ger gez gil gla gle glg glv gmh
    goh gon gor got grb grc gre grn gsw guj gwi hai hat hau haw heb her hil him hin hit hmn hmo hrv hsb hun hup hye iba ibo ice ido iii
    ijo iku ile ilo ina inc ind ine inh ipk ira iro isl ita jav jbo jpn jpr jrb kaa kab kac kal kam kan kar kas kat kau kaw kaz kbd kha
    khi khm kho kik kin kir kmb kok kom kon kor kos kpe krc krl kro kru kua kum kur kut lad lah lam lao lat lav lez lim lin lit lol loz
    ltz lua lub lug lui lun luo lus mac mad mag mah mai mak mal man mao map mar mas may mdf mdr men mga mic min mis mkd mkh mlg mlt mnc
    mni mno moh mon mos mri msa mul mun mus mwl mwr mya myn myv nah nai nap nau nav nbl nde ndo nds nep new nia nic niu nld nno nob nog
    non nor nqo nso nub nwc nya nym nyn nyo nzi oci oji ori orm osa oss ota oto paa pag pal pam pan pap pau peo per phi phn pli pol pon
    por pra pro pus que raj rap rar roa roh rom ron rum run rup rus sad sag sah sai sal sam san sas sat scn sco sel sem sga sgn shn sid
    sin sio sit sla slk slo slv sma sme smi smj smn smo sms sna snd snk sog som son sot spa sqi srd srn srp srr ssa ssw suk sun sus sux
    swa swe syc syr tah tai tam tat tel tem ter tet tgk tgl tha tib tig tir tiv tkl tlh tli tmh tog ton tpi tsi tsn tso tuk tum tup tur
    tut tvl twi tyv udm uga uig ukr umb und urd uzb vai ven vie vol vot wak wal war was wel wen wln wol xal xho yao yap yid yor ypk zap
    zbl zen zgh zha zho znd zul zun zxx zza
    arb arz cmn ekk gsw hak knn lvs nan pes prs swc swh wuu ydd yue zsm
    """.split()
)

_CHARACTER_SETS = frozenset(
    """
    Adobe-Standard-Encoding Adobe-Symbol-Encoding Amiga-1251 ANSI_X3.110-1983 ASMO_449 Big5 Big5-HKSCS BOCU-1 BRF BS_4730 BS_viewdata
    CESU-8 CP50220 CP51932 CSA_Z243.4-1985-1 CSA_Z243.4-1985-2 CSA_Z243.4-1985-gr CSN_369103 DEC-MCS DIN_66003 dk-us DS_2089
    EBCDIC-AT-DE EBCDIC-AT-DE-A EBCDIC-CA-FR EBCDIC-DK-NO EBCDIC-DK-NO-A EBCDIC-ES EBCDIC-ES-A EBCDIC-ES-S EBCDIC-FI-SE EBCDIC-FI-SE-A
    EBCDIC-FR EBCDIC-IT EBCDIC-PT EBCDIC-UK EBCDIC-US ECMA-cyrillic ES ES2 EUC-JP EUC-KR Extended_UNIX_Code_Fixed_Width_for_Japanese
    GB18030 GB2312 GB_1988-80 GB_2312-80 GBK GOST_19768-74 greek-ccitt greek7 greek7-old HP-DeskTop HP-Legal HP-Math8 HP-Pi-font
    hp-roman8 HZ-GB-2312 IBM-Symbols IBM-Thai IBM00858 IBM00924 IBM01140 IBM01141 IBM01142 IBM01143 IBM01144 IBM01145 IBM01146 IBM01147
    IBM01148 IBM01149 IBM037 IBM038 IBM1026 IBM1047 IBM273 IBM274 IBM275 IBM277 IBM278 IBM280 IBM281 IBM284 IBM285 IBM290 IBM297 IBM420
    IBM423 IBM424 IBM437 IBM500 IBM775 IBM850 IBM851 IBM852 IBM855 IBM857 IBM860 IBM861 IBM862 IBM863 IBM864 IBM865 IBM866 IBM868 IBM869
    IBM870 IBM871 IBM880 IBM891 IBM903 IBM904 IBM905 IBM918 IEC_P27-1 INIS INIS-8 INIS-cyrillic INVARIANT ISO-10646-J-1 ISO-10646-UCS-2
    ISO-10646-UCS-4 ISO-10646-UCS-Basic ISO-10646-Unicode-Latin1 ISO-10646-UTF-1 ISO-11548-1 ISO-2022-CN ISO-2022-CN-EXT ISO-2022-JP
    ISO-2022-JP-2 ISO-2022-KR ISO-8859-1 ISO-8859-1-Windows-3.0-Latin-1 ISO-8859-1-Windows-3.1-Latin-1 ISO-8859-10 ISO-8859-13
    ISO-8859-14 ISO-8859-15 ISO-8859-16 ISO-8859-2 ISO-8859-2-Windows-Latin-2 ISO-8859-3 ISO-8859-4 ISO-8859-5 ISO-8859-6 ISO-8859-6-E
    ISO-8859-6-I ISO-8859-7 ISO-8859-8 ISO-8859-8-E ISO-8859-8-I ISO-8859-9 ISO-8859-9-Windows-Latin-5 iso-ir-90 ISO-Unicode-IBM-1261
    ISO-Unicode-IBM-1264 ISO-Unicode-IBM-1265 ISO-Unicode-IBM-1268 ISO-Unicode-IBM-1276 ISO_10367-box ISO_2033-1983 ISO_5427
    ISO_5427:1981 ISO_5428:1980 ISO_646.basic:1983 ISO_646.irv:1983 ISO_6937-2-25 ISO_6937-2-add ISO_8859-supp IT JIS_C6220-1969-jp
    JIS_C6220-1969-ro JIS_C6226-1978 JIS_C6226-1983 JIS_C6229-1984-a JIS_C6229-1984-b JIS_C6229-1984-b-add JIS_C6229-1984-hand
    JIS_C6229-1984-hand-add JIS_C6229-1984-kana JIS_Encoding JIS_X0201 JIS_X0212-1990 JUS_I.B1.002 JUS_I.B1.003-mac JUS_I.B1.003-serb
    KOI7-switched KOI8-R KOI8-U KS_C_5601-1987 KSC5636 KZ-1048 latin-greek Latin-greek-1 latin-lap macintosh Microsoft-Publishing MNEM
    MNEMONIC MSZ_7795.3 NATS-DANO NATS-DANO-ADD NATS-SEFI NATS-SEFI-ADD NC_NC00-10:81 NF_Z_62-010 NF_Z_62-010_(1973) NS_4551-1 NS_4551-2
    OSD_EBCDIC_DF03_IRV OSD_EBCDIC_DF04_1 OSD_EBCDIC_DF04_15 PC8-Danish-Norwegian PC8-Turkish PT PT2 PTCP154 SCSU SEN_850200_B
    SEN_850200_C Shift_JIS T.101-G2 T.61-7bit T.61-8bit TIS-620 TSCII UNICODE-1-1 UNICODE-1-1-UTF-7 UNKNOWN-8BIT US-ASCII us-dk UTF-16
    UTF-16BE UTF-16LE UTF-32 UTF-32BE UTF-32LE UTF-7 UTF-7-IMAP UTF-8 Ventura-International Ventura-Math Ventura-US videotex-suppl VIQR
    VISCII windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258
    Windows-31J windows-874
    """.split()
)
