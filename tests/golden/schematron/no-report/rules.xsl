<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:param name="flow"/><xsl:param name="quoted"/>
  <xsl:template match="/"><a flow="{$flow}" quoted="{$quoted}"/></xsl:template>
</xsl:stylesheet>
